INSERT INTO fortnight.forecast_issue
    (series_key, resolution, origin, inputs_start, readings_as_of, model_version_key, history_sha256, unit, leads)
VALUES
    (%(series_key)s, %(resolution)s, %(origin)s, %(inputs_start)s, %(readings_as_of)s, %(model_version_key)s, %(history_sha256)s,
     %(unit)s, %(leads)s)
ON CONFLICT (series_key, resolution, origin, model_version_key, history_sha256) DO NOTHING
RETURNING issue_id
