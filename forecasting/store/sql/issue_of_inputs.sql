SELECT issue_id FROM fortnight.forecast_issue
WHERE series_key = %(series_key)s AND resolution = %(resolution)s AND inputs_sha256 = %(inputs_sha256)s
