-- Adds the staged readings whose source says when each became known; a statement that is stored already is not repeated. Counts
-- those that say something of an interval for the first time or again the same, and those that correct an earlier value.
WITH news AS (
    SELECT s.interval_start, s.known_at, s.value
    FROM staged_reading AS s
    WHERE s.series_key = %(series_key)s
      AND NOT EXISTS (
          SELECT FROM fortnight.reading AS r
          WHERE r.series_key = %(series_key)s AND r.interval_start = s.interval_start AND r.known_at = s.known_at
            AND r.value = s.value
      )
), version AS (
    SELECT interval_start, known_at, value, true AS is_news FROM news
    UNION ALL
    SELECT r.interval_start, r.known_at, r.value, false
    FROM fortnight.reading AS r
    WHERE NOT %(is_forecast)s AND r.series_key = %(series_key)s
      AND r.interval_start IN (SELECT interval_start FROM news)
), step AS (
    SELECT interval_start, known_at, value, is_news, lag(value) OVER earlier AS old_value, lag(known_at) OVER earlier AS old_known_at
    FROM version
    WINDOW earlier AS (PARTITION BY interval_start ORDER BY known_at, is_news)
), added AS (
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT %(series_key)s, n.interval_start, n.known_at, %(ingest_run_id)s, n.value
    FROM news AS n
), corrected AS (
    INSERT INTO fortnight.correction (series_key, interval_start, ingest_run_id, old_value, new_value, old_known_at, known_at)
    SELECT %(series_key)s, s.interval_start, %(ingest_run_id)s, s.old_value, s.value, s.old_known_at, s.known_at
    FROM step AS s
    WHERE s.is_news AND s.old_value <> s.value AND NOT %(is_forecast)s
    RETURNING interval_start
)
SELECT (SELECT count(*) FROM news) - (SELECT count(*) FROM corrected), (SELECT count(*) FROM corrected)
