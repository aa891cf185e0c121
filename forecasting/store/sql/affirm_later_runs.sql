-- After a run was stored out of turn: what the next run in time had read again, and therefore left unsaid, is said now where this
-- run's news would hide it.
WITH news AS (
    SELECT r.interval_start, r.value FROM fortnight.reading AS r
    WHERE r.series_key = %(series_key)s AND r.ingest_run_id = %(ingest_run_id)s
      AND r.interval_start >= %(window_start)s AND r.interval_start < %(window_end)s
), next_look AS (
    SELECT DISTINCT ON (n.interval_start) n.interval_start, n.value, i.ingest_run_id, i.as_of
    FROM news AS n
    JOIN fortnight.ingest_run AS i
      ON i.series_key = %(series_key)s AND i.as_of > %(as_of)s AND i.refused IS NULL
     AND n.interval_start >= i.window_start AND n.interval_start + %(interval)s::interval <= i.window_end
     AND NOT i.missing @> n.interval_start
    ORDER BY n.interval_start, i.as_of, i.ingest_run_id
), before AS (
    SELECT DISTINCT ON (r.interval_start) r.interval_start, r.value
    FROM fortnight.reading AS r
    JOIN fortnight.ingest_run AS i USING (ingest_run_id)
    WHERE r.series_key = %(series_key)s AND i.as_of <= %(as_of)s AND r.ingest_run_id <> %(ingest_run_id)s
      AND r.interval_start >= %(window_start)s AND r.interval_start < %(window_end)s
    ORDER BY r.interval_start, i.as_of DESC, r.ingest_run_id DESC
)
INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
SELECT %(series_key)s, n.interval_start, n.as_of, n.ingest_run_id, b.value
FROM next_look AS n
JOIN before AS b USING (interval_start)
WHERE b.value <> n.value
  AND NOT EXISTS (
      SELECT FROM fortnight.reading AS r
      JOIN fortnight.ingest_run AS i USING (ingest_run_id)
      WHERE r.series_key = %(series_key)s AND r.interval_start = n.interval_start
        AND i.as_of > %(as_of)s AND (i.as_of, i.ingest_run_id) <= (n.as_of, n.ingest_run_id)
  )
