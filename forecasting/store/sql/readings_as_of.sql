-- The version of each reading that was known at the as-of time, oldest interval first: all in one value, 16 bytes a reading, since
-- the client would take longer over rows than the server over the search.
SELECT string_agg(timestamptz_send(interval_start) || float8send(value), '' ORDER BY interval_start)
FROM (
    SELECT DISTINCT ON (interval_start) interval_start, value
    FROM fortnight.reading
    WHERE series_key = %(series_key)s AND interval_start >= %(since)s AND interval_start < %(until)s AND known_at <= %(as_of)s
    ORDER BY interval_start, known_at DESC, ingest_run_id DESC
) AS known
