-- One that is due, held until the transaction ends; what another deliverer holds is left to it. A channel that has just failed for
-- the first time, in this run or beside it, is left alone until that message is due again: it is probably down.
SELECT n.notification_id, n.channel, n.kind, n.subject, n.body, n.picture, n.attempts, n.created_at, n.last_error, n.given_up_at
FROM fortnight.notification AS n
WHERE n.sent_at IS NULL AND n.given_up_at IS NULL AND n.due_at <= %(now)s AND n.channel <> ALL (%(resting)s)
  AND NOT EXISTS (
      SELECT FROM fortnight.notification AS o
      WHERE o.channel = n.channel AND o.sent_at IS NULL AND o.given_up_at IS NULL AND o.attempts = 1 AND o.due_at > %(now)s
  )
ORDER BY n.due_at, n.notification_id
LIMIT 1
FOR UPDATE OF n SKIP LOCKED
