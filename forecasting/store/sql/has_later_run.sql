SELECT EXISTS (
    SELECT FROM fortnight.ingest_run
    WHERE series_key = %(series_key)s AND as_of > %(as_of)s AND refused IS NULL
      AND window_start < %(window_end)s AND window_end > %(window_start)s
)
