INSERT INTO fortnight.promotion (series_key, resolution, model_version_key, kind, as_of, reason)
SELECT series_key, resolution, model_version_key, %(kind)s, %(as_of)s, %(reason)s
FROM fortnight.model_version
WHERE model_version_key = %(model_version_key)s
