-- A good reading has come for the interval of a bad row.
UPDATE fortnight.quarantine AS q
SET released_by = %(ingest_run_id)s
WHERE q.series_key = %(series_key)s AND q.released_by IS NULL AND q.ingest_run_id <> %(ingest_run_id)s
  AND q.interval_start IN (SELECT s.interval_start FROM staged_reading AS s WHERE s.series_key = %(series_key)s)
