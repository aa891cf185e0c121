-- The same bad row, read again every day, is kept once.
INSERT INTO fortnight.quarantine (ingest_run_id, series_key, reason, raw, interval_start)
SELECT %(ingest_run_id)s, %(series_key)s, bad.reason, bad.raw::jsonb, bad.interval_start
FROM staged_rejected AS bad
WHERE bad.series_key = %(series_key)s
ON CONFLICT DO NOTHING
