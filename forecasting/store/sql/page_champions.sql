-- Who came into charge of a series, newest first.
SELECT model_name, model_version, family, mlflow_run_id, kind, as_of, until_as_of, reason, present
FROM published.champion
WHERE series_id = %(series_id)s AND resolution = 'daily'
ORDER BY as_of DESC, promoted_at DESC
LIMIT %(most)s
