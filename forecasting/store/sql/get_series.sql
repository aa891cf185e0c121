SELECT s.series_key, s.series_id, s.name, s.region, s.time_zone, s.interval_length AS interval, s.source, s.simulated, s.quantity,
       s.publication_delay, demand.series_id AS companion_of
FROM fortnight.series AS s
LEFT JOIN fortnight.series AS demand ON demand.series_key = s.companion_of
WHERE s.series_id = %(series_id)s
