-- Those that wait for another try, and those that were given up after a moment.
SELECT notification_id, channel, kind, subject, body, picture, attempts, created_at, last_error, given_up_at
FROM fortnight.notification
WHERE sent_at IS NULL AND (given_up_at IS NULL OR given_up_at > %(given_up_after)s)
ORDER BY notification_id
