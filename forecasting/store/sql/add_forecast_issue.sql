INSERT INTO fortnight.forecast_issue
    (series_key, resolution, origin, inputs_start, readings_as_of, model_version_key, history_sha256, unit, leads, inputs_sha256, tier,
     reason, feed_at_fault, age_days, git_sha, recipe, weather_issued_at, previous_issue_id, plausible_min_mwh, plausible_max_mwh)
VALUES
    (%(series_key)s, %(resolution)s, %(origin)s, %(inputs_start)s, %(readings_as_of)s, %(model_version_key)s, %(history_sha256)s,
     %(unit)s, %(leads)s, %(inputs_sha256)s, %(tier)s, %(reason)s, %(feed_at_fault)s, %(age_days)s, %(git_sha)s, %(recipe)s,
     %(weather_issued_at)s, %(previous_issue_id)s, %(plausible_min_mwh)s, %(plausible_max_mwh)s)
ON CONFLICT (series_key, resolution, inputs_sha256) DO NOTHING
RETURNING issue_id
