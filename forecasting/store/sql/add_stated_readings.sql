-- Adds the staged readings whose source says when each became known; a statement that is stored already is not repeated.
WITH news AS (
    SELECT s.interval_start, s.known_at, s.value
    FROM staged_reading AS s
    WHERE s.series_key = %(series_key)s
      AND NOT EXISTS (
          SELECT FROM fortnight.reading AS r
          WHERE r.series_key = %(series_key)s AND r.interval_start = s.interval_start AND r.known_at = s.known_at
            AND r.value = s.value
      )
), added AS (
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT %(series_key)s, n.interval_start, n.known_at, %(ingest_run_id)s, n.value
    FROM news AS n
)
SELECT count(*), 0 FROM news
