-- The files of a champion, and of the few before it.
WITH kept AS (
    INSERT INTO fortnight.model_file (model_version_key, weights, card)
    VALUES (%(model_version_key)s, %(weights)s, %(card)s)
    ON CONFLICT (model_version_key) DO UPDATE SET kept_at = now()
)
DELETE FROM fortnight.model_file AS f
USING fortnight.model_version AS m
WHERE m.model_version_key = f.model_version_key AND m.series_key = %(series_key)s AND f.model_version_key <> %(model_version_key)s
  AND f.model_version_key NOT IN (
      SELECT n.model_version_key
      FROM fortnight.model_file AS n
      JOIN fortnight.model_version AS v USING (model_version_key)
      WHERE v.series_key = %(series_key)s AND n.model_version_key <> %(model_version_key)s
      ORDER BY n.kept_at DESC
      LIMIT %(others)s
  )
