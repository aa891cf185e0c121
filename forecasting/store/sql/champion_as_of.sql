-- The version that was champion at the as-of time: the last one promoted by a retrain that knew no more than that.
SELECT m.*
FROM fortnight.model_version AS m
WHERE m.series_key = %(series_key)s AND m.resolution = %(resolution)s AND m.promoted AND m.as_of <= %(as_of)s
ORDER BY m.as_of DESC, m.model_version_key DESC
LIMIT 1
