-- Adds what is new or changed among the staged readings (unique by interval_start) and counts both.
--
-- A new reading is known from the end of its interval plus the declared delay, at the latest from this run; but where an earlier
-- run looked for it and did not find it, or where it corrects another value, it is known from this run only. Runs are earlier or
-- later by their as_of, whatever the order in which they are stored.
WITH looked AS (
    SELECT range_agg(tstzrange(window_start, window_end - %(interval)s::interval, '[]')) AS ranges
    FROM fortnight.ingest_run
    WHERE series_key = %(series_key)s AND as_of < %(as_of)s AND refused IS NULL
      AND window_start <= window_end - %(interval)s::interval
), staged AS (
    SELECT interval_start, value FROM staged_reading WHERE series_key = %(series_key)s
), old AS (
    SELECT DISTINCT ON (r.interval_start) r.interval_start, r.value, r.known_at
    FROM fortnight.reading AS r
    JOIN fortnight.ingest_run AS i USING (ingest_run_id)
    WHERE r.series_key = %(series_key)s AND i.as_of <= %(as_of)s
      AND r.interval_start BETWEEN (SELECT min(interval_start) FROM staged) AND (SELECT max(interval_start) FROM staged)
    ORDER BY r.interval_start, i.as_of DESC, r.ingest_run_id DESC, r.known_at DESC
), changed AS (
    SELECT s.interval_start, s.value, o.value AS old_value, o.known_at AS old_known_at
    FROM staged AS s
    LEFT JOIN old AS o USING (interval_start)
    WHERE o.value IS DISTINCT FROM s.value
), added AS (
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT %(series_key)s, c.interval_start,
           CASE
               WHEN c.old_value IS NOT NULL OR coalesce(l.ranges @> c.interval_start, false) THEN %(as_of)s
               ELSE least(c.interval_start + %(due_after)s::interval, %(as_of)s)
           END,
           %(ingest_run_id)s, c.value
    FROM changed AS c CROSS JOIN looked AS l
), corrected AS (
    INSERT INTO fortnight.correction (series_key, interval_start, ingest_run_id, old_value, new_value, old_known_at, known_at)
    SELECT %(series_key)s, c.interval_start, %(ingest_run_id)s, c.old_value, c.value, c.old_known_at, %(as_of)s
    FROM changed AS c
    WHERE c.old_value IS NOT NULL
)
SELECT count(*) FILTER (WHERE old_value IS NULL), count(old_value) FROM changed
