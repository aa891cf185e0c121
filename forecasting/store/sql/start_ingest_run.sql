INSERT INTO fortnight.ingest_run
    (series_key, source, as_of, window_start, window_end, kind, states_known_at, refused, rows_read, rows_new, rows_corrected,
     rows_quarantined)
VALUES
    (%(series_key)s, %(source)s, %(as_of)s, %(window_start)s, %(window_end)s, %(kind)s, %(states_known_at)s, %(refused)s,
     %(rows_read)s, 0, 0, 0)
RETURNING ingest_run_id
