-- Who was champion, newest first, each once.
SELECT m.*
FROM (
    SELECT DISTINCT ON (p.model_version_key) p.model_version_key, p.as_of, p.promotion_key
    FROM fortnight.promotion AS p
    WHERE p.series_key = %(series_key)s AND p.resolution = %(resolution)s AND p.as_of <= %(as_of)s
    ORDER BY p.model_version_key, p.as_of DESC, p.promotion_key DESC
) AS reign
JOIN fortnight.model_version AS m USING (model_version_key)
ORDER BY reign.as_of DESC, reign.promotion_key DESC
LIMIT %(limit)s
