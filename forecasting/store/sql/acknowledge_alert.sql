UPDATE fortnight.alert
SET state = 'acknowledged', acknowledged_at = now(), acknowledged_by = %(by)s, note = %(note)s
WHERE alert_id = %(alert_id)s AND state IN ('firing', 'acknowledged')
RETURNING alert_id
