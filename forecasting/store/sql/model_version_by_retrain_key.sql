SELECT m.* FROM fortnight.model_version AS m WHERE m.retrain_key = %(retrain_key)s AND m.contender
