INSERT INTO fortnight.series
    (series_id, name, region, time_zone, quantity, unit, interval_length, publication_delay, source, simulated, companion_of)
VALUES
    (%(series_id)s, %(name)s, %(region)s, %(time_zone)s, %(quantity)s, %(unit)s, %(interval)s, %(publication_delay)s, %(source)s,
     %(simulated)s, (SELECT series_key FROM fortnight.series WHERE series_id = %(companion_of)s))
-- The grid may change only while nothing was read.
ON CONFLICT (series_id) DO UPDATE
SET name = excluded.name, region = excluded.region, publication_delay = excluded.publication_delay, source = excluded.source,
    interval_length = CASE
        WHEN EXISTS (SELECT FROM fortnight.reading AS r WHERE r.series_key = series.series_key) THEN series.interval_length
        ELSE excluded.interval_length
    END
WHERE (series.name, series.region, series.publication_delay, series.source, series.interval_length)
   IS DISTINCT FROM (excluded.name, excluded.region, excluded.publication_delay, excluded.source, excluded.interval_length)
