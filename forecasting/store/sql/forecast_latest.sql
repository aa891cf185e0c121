SELECT series_id, resolution, target_start, target_end, lead, mean, q10, q50, q90, unit, issued_at, origin, model_name, model_version,
       mlflow_run_id, readings_as_of, issue_id, tier, reason
FROM published.forecast_latest
WHERE series_id = %(series_id)s AND resolution = %(resolution)s
ORDER BY lead
