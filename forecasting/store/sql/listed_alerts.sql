-- What fired: open episodes, and those that ended after a moment of the clock; or one episode.
SELECT a.alert_id, s.series_id, a.rule, a.pending_as_of, a.judged_as_of, a.last_bad_as_of, a.fired_as_of, a.escalated_as_of,
       a.resolved_as_of, a.state, a.times_bad, a.times_good, a.since, a.severity, a.message, a.cause, a.remedy,
       a.severity_score AS score, a.mlflow_run_id, a.picture, a.issue_id, a.inhibited_by, a.acknowledged_by, a.note, a.told
FROM fortnight.alert AS a
LEFT JOIN fortnight.series AS s USING (series_key)
WHERE a.alert_id = %(alert_id)s
   OR (%(alert_id)s::bigint IS NULL AND (a.state <> 'resolved' OR (a.fired_as_of IS NOT NULL AND a.resolved_at > %(resolved_after)s)))
ORDER BY a.state = 'resolved', a.state = 'pending', a.severity <> 'page', a.severity_score DESC NULLS LAST, a.alert_id DESC
