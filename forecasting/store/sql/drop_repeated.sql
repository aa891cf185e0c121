-- After a run was stored out of turn: a later run's reading that only says again what this one has said before it.
WITH version AS (
    SELECT r.interval_start, r.known_at, r.ingest_run_id, i.states_known_at,
           r.value = lag(r.value) OVER (PARTITION BY r.interval_start ORDER BY i.as_of, r.ingest_run_id) AS repeated
    FROM fortnight.reading AS r
    JOIN fortnight.ingest_run AS i USING (ingest_run_id)
    WHERE r.series_key = %(series_key)s
      AND r.interval_start >= %(window_start)s AND r.interval_start < %(window_end)s
)
DELETE FROM fortnight.reading AS r
USING version AS v
WHERE r.series_key = %(series_key)s AND r.interval_start = v.interval_start AND r.known_at = v.known_at
  AND r.ingest_run_id = v.ingest_run_id AND v.repeated AND NOT v.states_known_at
