UPDATE fortnight.alert
SET resolved_as_of = %(as_of)s, resolved_at = now()
WHERE series_key = %(series_key)s AND rule = %(rule)s AND resolved_at IS NULL AND opened_as_of <= %(as_of)s
RETURNING alert_id
