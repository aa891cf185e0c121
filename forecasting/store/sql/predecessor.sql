-- The same family as it was some weeks before.
SELECT * FROM fortnight.model_version
WHERE series_key = %(series_key)s AND resolution = %(resolution)s AND family = %(family)s AND as_of <= %(as_of)s
ORDER BY as_of DESC, model_version_key DESC
LIMIT 1
