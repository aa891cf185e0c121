UPDATE fortnight.notification
SET attempts = attempts + 1, last_error = coalesce(%(error)s, last_error), due_at = coalesce(%(due_at)s, due_at),
    sent_at = %(sent_at)s, given_up_at = %(given_up_at)s
WHERE notification_id = %(notification_id)s
