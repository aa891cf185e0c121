-- The version that was champion at the as-of time: the last one promoted with no more knowledge than that.
SELECT m.*
FROM fortnight.promotion AS p
JOIN fortnight.model_version AS m USING (model_version_key)
WHERE p.series_key = %(series_key)s AND p.resolution = %(resolution)s AND p.as_of <= %(as_of)s
ORDER BY p.as_of DESC, p.promotion_key DESC
LIMIT 1
