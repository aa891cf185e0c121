SELECT max(interval_start) FROM fortnight.reading WHERE series_key = %(series_key)s AND known_at <= %(as_of)s
