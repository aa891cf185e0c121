SELECT max(known_at) FROM fortnight.reading
WHERE series_key = %(series_key)s AND known_at <= %(as_of)s AND interval_start >= %(since)s
