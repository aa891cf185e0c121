-- How each series stands, with the facts of its newest issue; one row a series, those without an issue too.
SELECT s.series_id, s.name, s.time_zone, s.unit, s.simulated, t.newest_reading_end, t.issue_id, t.origin, t.ready_at, t.tier, t.reason,
       t.feed_at_fault, t.last_target_end, t.last_ingest_as_of, t.last_ingest_refused, t.open_gaps, t.quarantined_7_days,
       i.readings_as_of, i.weather_issued_at, i.model_name, i.model_version, i.family, i.mlflow_run_id, i.git_sha
FROM published.series AS s
JOIN published.status AS t USING (series_id)
LEFT JOIN published.issue AS i ON i.series_id = s.series_id AND i.issue_id = t.issue_id
WHERE %(series_id)s::text IS NULL OR s.series_id = %(series_id)s
ORDER BY s.series_id
