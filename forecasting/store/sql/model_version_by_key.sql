SELECT * FROM fortnight.model_version WHERE model_version_key = %(model_version_key)s
