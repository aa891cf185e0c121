INSERT INTO fortnight.model_version
    (series_key, resolution, retrain_key, as_of, model_name, version, family, information, mlflow_run_id, weights_sha256,
     card_sha256, history_sha256, history_start, history_end, git_sha, contender, reason)
VALUES
    (%(series_key)s, %(resolution)s, %(retrain_key)s, %(as_of)s, %(model_name)s, %(version)s, %(family)s, %(information)s,
     %(mlflow_run_id)s, %(weights_sha256)s, %(card_sha256)s, %(history_sha256)s, %(history_start)s, %(history_end)s, %(git_sha)s,
     %(contender)s, %(reason)s)
RETURNING model_version_key
