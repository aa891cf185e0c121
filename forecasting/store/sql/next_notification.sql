-- One that is due, held until the transaction ends; what another deliverer holds is left to it.
SELECT notification_id, channel, kind, subject, body, picture, attempts, created_at, last_error, given_up_at
FROM fortnight.notification
WHERE sent_at IS NULL AND given_up_at IS NULL AND due_at <= %(now)s AND channel <> ALL (%(resting)s)
ORDER BY due_at, notification_id
LIMIT 1
FOR UPDATE SKIP LOCKED
