-- After a run was stored out of turn: the rule of add_readings for when a reading became known, applied again in the run's window.
WITH version AS (
    SELECT r.interval_start, r.known_at, r.ingest_run_id, i.as_of AS seen_at,
           row_number() OVER (PARTITION BY r.interval_start ORDER BY i.as_of, r.ingest_run_id) = 1 AS is_first
    FROM fortnight.reading AS r
    JOIN fortnight.ingest_run AS i USING (ingest_run_id)
    WHERE r.series_key = %(series_key)s AND NOT i.states_known_at
      AND r.interval_start >= %(window_start)s AND r.interval_start < %(window_end)s
), dated AS (
    SELECT v.interval_start, v.known_at, v.ingest_run_id,
           CASE
               WHEN v.is_first AND NOT EXISTS (
                   SELECT FROM fortnight.ingest_run AS i
                   WHERE i.series_key = %(series_key)s AND i.as_of < v.seen_at AND i.refused IS NULL
                     AND v.interval_start >= i.window_start AND v.interval_start + %(interval)s::interval <= i.window_end
               ) THEN least(v.interval_start + %(due_after)s::interval, v.seen_at)
               ELSE v.seen_at
           END AS rightly
    FROM version AS v
)
UPDATE fortnight.reading AS r
SET known_at = d.rightly
FROM dated AS d
WHERE r.series_key = %(series_key)s AND r.interval_start = d.interval_start AND r.known_at = d.known_at
  AND r.ingest_run_id = d.ingest_run_id AND d.rightly <> d.known_at
