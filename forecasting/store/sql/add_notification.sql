INSERT INTO fortnight.notification (channel, kind, subject, body, picture, alert_ids, as_of, due_at)
VALUES (%(channel)s, %(kind)s, %(subject)s, %(body)s, %(picture)s, %(alert_ids)s, %(as_of)s, %(due_at)s)
