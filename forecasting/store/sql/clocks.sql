SELECT clock_timestamp(), (SELECT max(as_of) FROM fortnight.ingest_run)
