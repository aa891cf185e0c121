UPDATE fortnight.alert AS a
SET judged_as_of = r.judged_as_of, last_bad_as_of = r.last_bad_as_of, fired_as_of = r.fired_as_of,
    escalated_as_of = r.escalated_as_of, resolved_as_of = r.resolved_as_of,
    resolved_at = CASE WHEN r.resolved_as_of IS NOT NULL THEN coalesce(a.resolved_at, now()) END,
    state = r.state, times_bad = r.times_bad, times_good = r.times_good, since = r.since, severity = r.severity, message = r.message,
    cause = r.cause, remedy = r.remedy, severity_score = r.score, mlflow_run_id = r.mlflow_run_id, picture = r.picture,
    issue_id = r.issue_id, inhibited_by = r.inhibited_by, told = r.told
FROM jsonb_to_recordset(%(episodes)s) AS r (
    alert_id bigint, series_id text, rule text, pending_as_of timestamptz, judged_as_of timestamptz, last_bad_as_of timestamptz,
    fired_as_of timestamptz, escalated_as_of timestamptz, resolved_as_of timestamptz, state text, times_bad integer,
    times_good integer, since timestamptz, severity text, message text, cause text, remedy text, score double precision,
    mlflow_run_id text, picture text, issue_id bigint, inhibited_by text, told text
)
WHERE a.alert_id = r.alert_id
