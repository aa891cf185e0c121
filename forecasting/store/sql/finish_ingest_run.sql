UPDATE fortnight.ingest_run
SET rows_new = %(rows_new)s, rows_corrected = %(rows_corrected)s, rows_quarantined = %(rows_quarantined)s
WHERE ingest_run_id = %(ingest_run_id)s
