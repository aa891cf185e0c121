-- The newest issues that consumers had, newest first.
SELECT issue_id, readings_as_of, origin, tier, feed_at_fault, reason
FROM fortnight.forecast_issue
WHERE series_key = %(series_key)s AND resolution = %(resolution)s AND readings_as_of <= %(as_of)s AND ready_at IS NOT NULL
ORDER BY readings_as_of DESC, issue_id DESC
LIMIT %(limit)s
