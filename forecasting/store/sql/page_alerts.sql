-- Alerts of a series and of all together, or of every series: those that are open, then as many of the last ones that are over.
(
    SELECT alert_id, series_id, rule, severity, state, since, fired_as_of, resolved_as_of, message, cause, remedy, mlflow_run_id,
           inhibited_by, acknowledged_by, note
    FROM published.alert
    WHERE state IN ('firing', 'acknowledged') AND (%(series_id)s::text IS NULL OR series_id IS NULL OR series_id = %(series_id)s)
    ORDER BY severity = 'page' DESC, since
)
UNION ALL
(
    SELECT alert_id, series_id, rule, severity, state, since, fired_as_of, resolved_as_of, message, cause, remedy, mlflow_run_id,
           inhibited_by, acknowledged_by, note
    FROM published.alert
    WHERE state = 'resolved' AND fired_as_of IS NOT NULL
      AND (%(series_id)s::text IS NULL OR series_id IS NULL OR series_id = %(series_id)s)
    ORDER BY resolved_as_of DESC, alert_id DESC
    LIMIT %(closed)s
)
