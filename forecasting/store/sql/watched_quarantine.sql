-- Rows of the last days that were set aside in daily runs and not replaced since, by reason, and when the first of them begins.
SELECT q.reason, count(*), min(coalesce(q.interval_start, i.as_of))
FROM fortnight.quarantine AS q
JOIN fortnight.ingest_run AS i USING (ingest_run_id)
LEFT JOIN fortnight.ingest_run AS r ON r.ingest_run_id = q.released_by
WHERE q.series_key = %(series_key)s AND i.as_of > %(since)s AND i.as_of <= %(as_of)s AND i.kind <> 'backfill'
  AND (q.interval_start IS NULL OR q.interval_start >= %(since)s) AND (r.as_of IS NULL OR r.as_of > %(as_of)s)
GROUP BY q.reason
ORDER BY count(*) DESC, q.reason
