-- Compares the holes between the readings around the run's window with the gaps on record: new ones are added, those that are
-- there still have been asked for once more, and the others are healed.
WITH edge AS (
    SELECT coalesce(
        (SELECT max(interval_start) FROM fortnight.reading WHERE series_key = %(series_key)s AND interval_start < %(window_start)s),
        %(window_start)s
    ) AS first_start
), reading AS (
    SELECT DISTINCT r.interval_start
    FROM fortnight.reading AS r, edge
    WHERE r.series_key = %(series_key)s AND r.interval_start >= edge.first_start
      AND r.interval_start <= (
          SELECT coalesce(min(interval_start), 'infinity') FROM fortnight.reading
          WHERE series_key = %(series_key)s AND interval_start >= %(window_end)s
      )
), hole AS (
    SELECT hole_start, hole_end
    FROM (
        SELECT lag(interval_start + %(interval)s::interval) OVER (ORDER BY interval_start) AS hole_start, interval_start AS hole_end
        FROM reading
    ) AS step
    WHERE hole_start < hole_end
), healed AS (
    UPDATE fortnight.gap AS g
    SET healed_by = %(ingest_run_id)s
    FROM edge
    WHERE g.series_key = %(series_key)s AND g.healed_by IS NULL AND g.gap_end > edge.first_start AND g.gap_start < %(window_end)s
      AND NOT EXISTS (SELECT FROM hole WHERE hole_start = g.gap_start AND hole_end = g.gap_end)
    RETURNING g.gap_id
), recorded AS (
    INSERT INTO fortnight.gap (series_key, gap_start, gap_end, found_by, last_asked_by)
    SELECT %(series_key)s, hole_start, hole_end, %(ingest_run_id)s, %(ingest_run_id)s
    FROM hole
    ON CONFLICT (series_key, gap_start, gap_end) WHERE healed_by IS NULL
    DO UPDATE SET times_asked = gap.times_asked + 1, last_asked_by = excluded.last_asked_by
    RETURNING gap_id
)
SELECT (SELECT count(*) FROM healed), (SELECT count(*) FROM recorded)
