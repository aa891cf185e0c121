-- The champion before this one: the last other version promoted before this one last became champion on its merits. A rollback
-- is no merit: rolled back again, the champion before that one follows, and two versions never take turns.
WITH reign AS (
    SELECT p.model_version_key, p.as_of, p.promotion_key, p.kind
    FROM fortnight.promotion AS p
    WHERE p.series_key = %(series_key)s AND p.resolution = %(resolution)s AND p.as_of <= %(as_of)s
),
begun AS (
    SELECT as_of, promotion_key FROM reign WHERE model_version_key = %(model_version_key)s AND kind <> 'rollback'
    ORDER BY as_of DESC, promotion_key DESC LIMIT 1
)
SELECT m.*
FROM reign AS r
JOIN begun AS b ON (r.as_of, r.promotion_key) < (b.as_of, b.promotion_key)
JOIN fortnight.model_version AS m USING (model_version_key)
WHERE r.model_version_key <> %(model_version_key)s
ORDER BY r.as_of DESC, r.promotion_key DESC
LIMIT 1
