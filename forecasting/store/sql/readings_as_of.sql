-- The version of each reading that was known at the as-of time, oldest interval first; microseconds since 1970.
SELECT DISTINCT ON (interval_start) (extract(epoch FROM interval_start) * 1000000)::bigint, value
FROM fortnight.reading
WHERE series_key = %(series_key)s AND interval_start >= %(since)s AND interval_start < %(until)s AND known_at <= %(as_of)s
ORDER BY interval_start, known_at DESC, ingest_run_id DESC
