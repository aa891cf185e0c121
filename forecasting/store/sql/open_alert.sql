INSERT INTO fortnight.alert (series_key, rule, opened_as_of, message)
VALUES (%(series_key)s, %(rule)s, %(as_of)s, %(message)s)
ON CONFLICT (series_key, rule) WHERE resolved_at IS NULL DO NOTHING
RETURNING alert_id
