SELECT max(as_of) FROM fortnight.model_version WHERE series_key = %(series_key)s AND resolution = %(resolution)s AND as_of <= %(as_of)s
