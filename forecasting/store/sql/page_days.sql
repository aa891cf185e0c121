-- Energy of each whole local day since, as it is known now.
SELECT d.day, d.energy
FROM (
    SELECT (r.interval_start AT TIME ZONE s.time_zone)::date AS day, sum(r.value) AS energy, count(*) * s.interval_length AS covered,
           s.time_zone
    FROM published.series AS s
    JOIN published.demand_as_of('infinity') AS r ON r.series_id = s.series_id
    WHERE s.series_id = %(series_id)s AND r.interval_start >= %(since)s
    GROUP BY 1, s.interval_length, s.time_zone
) AS d
WHERE d.covered = (d.day + 1)::timestamp AT TIME ZONE d.time_zone - d.day::timestamp AT TIME ZONE d.time_zone
ORDER BY d.day
