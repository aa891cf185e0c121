INSERT INTO fortnight.alert (
    series_key, rule, pending_as_of, judged_as_of, last_bad_as_of, fired_as_of, escalated_as_of, state, times_bad, times_good,
    since, severity, message, cause, remedy, severity_score, mlflow_run_id, picture, issue_id, inhibited_by, told
)
SELECT s.series_key, r.rule, r.pending_as_of, r.judged_as_of, r.last_bad_as_of, r.fired_as_of, r.escalated_as_of, r.state,
       r.times_bad, r.times_good, r.since, r.severity, r.message, r.cause, r.remedy, r.score, r.mlflow_run_id, r.picture, r.issue_id,
       r.inhibited_by, r.told
FROM jsonb_to_recordset(%(episodes)s) AS r (
    alert_id bigint, series_id text, rule text, pending_as_of timestamptz, judged_as_of timestamptz, last_bad_as_of timestamptz,
    fired_as_of timestamptz, escalated_as_of timestamptz, resolved_as_of timestamptz, state text, times_bad integer,
    times_good integer, since timestamptz, severity text, message text, cause text, remedy text, score double precision,
    mlflow_run_id text, picture text, issue_id bigint, inhibited_by text, told text
)
LEFT JOIN fortnight.series AS s USING (series_id)
ORDER BY r.rule, r.series_id
RETURNING alert_id, rule, (SELECT s.series_id FROM fortnight.series AS s WHERE s.series_key = alert.series_key)
