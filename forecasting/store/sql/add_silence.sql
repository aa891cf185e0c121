INSERT INTO fortnight.silence (series_key, rule, starts_at, ends_at, reason, made_by)
VALUES (
    (SELECT series_key FROM fortnight.series WHERE series_id = %(series_id)s),
    %(rule)s, %(starts_at)s, %(ends_at)s, %(reason)s, %(made_by)s
)
RETURNING silence_id
