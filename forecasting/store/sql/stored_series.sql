SELECT s.series_id
FROM fortnight.series AS s
WHERE s.quantity = 'demand' AND EXISTS (SELECT FROM fortnight.reading AS r WHERE r.series_key = s.series_key)
ORDER BY s.series_id
