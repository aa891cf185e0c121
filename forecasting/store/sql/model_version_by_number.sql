SELECT m.* FROM fortnight.model_version AS m WHERE m.model_name = %(model_name)s AND m.version = %(version)s
