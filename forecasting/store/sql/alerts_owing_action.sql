-- Open alerts of some rules that have not yet led to an action which came to its end.
SELECT a.alert_id
FROM fortnight.alert AS a
WHERE a.state IN ('firing', 'acknowledged') AND a.inhibited_by IS NULL AND a.rule = ANY (%(rules)s)
  AND NOT EXISTS (
      SELECT FROM fortnight.drift_action AS d
      WHERE d.alert_id = a.alert_id AND d.action = %(action)s AND d.ended_at IS NOT NULL
  )
ORDER BY a.alert_id
