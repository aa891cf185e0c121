-- Those in force at a moment.
SELECT l.silence_id, s.series_id, l.rule, l.starts_at, l.ends_at, l.reason, l.made_by
FROM fortnight.silence AS l
LEFT JOIN fortnight.series AS s USING (series_key)
WHERE l.starts_at <= %(at)s AND l.ends_at > %(at)s
ORDER BY l.silence_id
