-- What the run did, and which intervals of its window it did not find.
WITH found AS (
    SELECT interval_start FROM staged_reading
    WHERE series_key = %(series_key)s AND interval_start >= %(window_start)s AND interval_start < %(window_end)s
), hole AS (
    SELECT lag(interval_start + %(interval)s::interval, 1, %(window_start)s) OVER (ORDER BY interval_start) AS hole_start,
           interval_start AS hole_end
    FROM found
    UNION ALL
    SELECT coalesce(max(interval_start) + %(interval)s::interval, %(window_start)s), %(window_end)s FROM found
)
UPDATE fortnight.ingest_run
SET rows_new = %(rows_new)s, rows_corrected = %(rows_corrected)s, rows_quarantined = %(rows_quarantined)s,
    missing = (SELECT coalesce(range_agg(tstzrange(hole_start, hole_end)), '{}') FROM hole WHERE hole_start < hole_end)
WHERE ingest_run_id = %(ingest_run_id)s
