-- An issue with all that it rests on.
SELECT i.issue_id, s.series_id, s.name AS series_name, s.time_zone, i.resolution, i.origin, i.readings_as_of, i.ready_at, i.leads,
       i.unit, i.tier, i.reason, i.feed_at_fault, i.age_days, i.git_sha, i.recipe, i.history_sha256, i.weather_issued_at,
       i.previous_issue_id, i.inputs_start, m.model_version_key, m.model_name, m.version, m.family, m.mlflow_run_id, m.as_of AS trained_as_of,
       m.git_sha AS trained_git_sha, m.weights_sha256, m.card_sha256, m.history_start AS trained_from, m.history_end AS trained_until,
       m.reason AS election,
       (
           SELECT p.kind || ': ' || p.reason FROM fortnight.promotion AS p
           WHERE p.model_version_key = i.model_version_key AND p.as_of <= i.readings_as_of
           ORDER BY p.as_of DESC, p.promotion_key DESC LIMIT 1
       ) AS promotion, before.model_version_key AS previous_version_key,
       (SELECT count(*) FROM fortnight.forecast_value AS v WHERE v.issue_id = i.issue_id AND v.origin = i.origin) AS kept_leads
FROM fortnight.forecast_issue AS i
JOIN fortnight.series AS s USING (series_key)
LEFT JOIN fortnight.model_version AS m USING (model_version_key)
LEFT JOIN fortnight.forecast_issue AS before ON before.issue_id = i.previous_issue_id
WHERE i.issue_id = %(issue_id)s
