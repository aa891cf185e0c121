-- What was forecast of the days since, by origin and lead: of each origin the issue that consumers had first. Beside it what the
-- predecessor said.
SELECT i.origin, v.lead, v.target_start, i.issue_id, i.tier, m.family, m.version, m.mlflow_run_id, v.q10, v.q50, v.q90,
       p.q10 AS before_q10, p.q50 AS before_q50, p.q90 AS before_q90
FROM (
    SELECT DISTINCT ON (f.origin) f.*
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = %(series_key)s AND f.resolution = %(resolution)s AND f.origin >= %(since)s AND f.readings_as_of <= %(as_of)s
      AND f.ready_at IS NOT NULL
    ORDER BY f.origin, f.readings_as_of, f.issue_id
) AS i
JOIN fortnight.forecast_value AS v ON v.issue_id = i.issue_id AND v.origin = i.origin AND v.lead <= %(leads)s
LEFT JOIN fortnight.model_version AS m USING (model_version_key)
LEFT JOIN fortnight.predecessor_value AS p ON p.issue_id = i.issue_id AND p.lead = v.lead
ORDER BY i.origin, v.lead
