SELECT i.issue_id
FROM fortnight.forecast_issue AS i
JOIN fortnight.series AS s USING (series_key)
WHERE i.ready_at IS NOT NULL AND (cardinality(%(series_ids)s::text[]) = 0 OR s.series_id = ANY (%(series_ids)s::text[]))
ORDER BY i.issue_id
