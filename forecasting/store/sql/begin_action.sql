-- Begun before and never ended means that its run was killed: it is begun again.
INSERT INTO fortnight.drift_action AS d (alert_id, action, as_of)
VALUES (%(alert_id)s, %(action)s, %(as_of)s)
ON CONFLICT (alert_id, action) DO UPDATE SET as_of = excluded.as_of, begun_at = now() WHERE d.ended_at IS NULL
RETURNING drift_action_id
