-- What there is of issues, versions and readings, and whatever of it is not whole or there twice.
SELECT (SELECT count(*) FROM fortnight.forecast_issue) AS issues,
       (
           SELECT count(*) FROM fortnight.forecast_issue AS i
           WHERE i.ready_at IS NULL OR i.leads <> (
               SELECT count(DISTINCT v.lead) FROM fortnight.forecast_value AS v WHERE v.issue_id = i.issue_id AND v.origin = i.origin
           )
       ) AS partial_issues,
       (SELECT count(*) - count(DISTINCT (series_key, resolution, inputs_sha256)) FROM fortnight.forecast_issue) AS doubled_issues,
       (SELECT count(*) FROM fortnight.model_version) AS versions,
       (SELECT count(*) - count(DISTINCT (series_key, retrain_key, family)) FROM fortnight.model_version) AS doubled_versions,
       (
           SELECT count(DISTINCT (r.series_key, r.interval_start)) FROM fortnight.reading AS r
           JOIN fortnight.series AS s USING (series_key)
           WHERE s.series_id = %(series_id)s
       ) AS readings,
       (
           SELECT count(*) FROM fortnight.run_step AS s JOIN fortnight.run AS r USING (run_id)
           WHERE s.ended_at IS NULL AND r.ended_at IS NOT NULL
       ) AS open_steps
