-- The issue that consumers had before this moment of knowledge.
SELECT issue_id, model_version_key
FROM fortnight.forecast_issue
WHERE series_key = %(series_key)s AND resolution = %(resolution)s AND readings_as_of < %(as_of)s AND ready_at IS NOT NULL
ORDER BY readings_as_of DESC, issue_id DESC
LIMIT 1
