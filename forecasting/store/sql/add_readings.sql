-- Adds what is new or changed among the staged readings (unique by interval_start) and counts both.
--
-- A new reading is known from the end of its interval plus the declared delay, at the latest from this run; but where an earlier
-- run looked for it after that and did not find it, or where it corrects another value, it is known from this run only.
WITH looked AS (
    SELECT range_agg(tstzrange(window_start, least(window_end, as_of - %(due_after)s::interval), '[]')) AS window_
    FROM fortnight.ingest_run
    WHERE series_key = %(series_key)s AND as_of < %(as_of)s
      AND window_start <= least(window_end, as_of - %(due_after)s::interval)
), changed AS (
    SELECT s.interval_start, s.value, old.value IS NOT NULL AS correction
    FROM staged_reading AS s
    LEFT JOIN LATERAL (
        SELECT r.value
        FROM fortnight.reading AS r
        WHERE r.series_key = %(series_key)s AND r.interval_start = s.interval_start AND r.known_at <= %(as_of)s
        ORDER BY r.known_at DESC, r.ingest_run_id DESC
        LIMIT 1
    ) AS old ON true
    WHERE old.value IS DISTINCT FROM s.value
), added AS (
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT %(series_key)s, c.interval_start,
           CASE
               WHEN c.correction OR coalesce(l.window_ @> c.interval_start, false) THEN %(as_of)s
               ELSE least(c.interval_start + %(due_after)s::interval, %(as_of)s)
           END,
           %(ingest_run_id)s, c.value
    FROM changed AS c CROSS JOIN looked AS l
)
SELECT count(*) FILTER (WHERE NOT correction), count(*) FILTER (WHERE correction) FROM changed
