UPDATE fortnight.drift_action
SET outcome = %(outcome)s, ended_at = now()
WHERE drift_action_id = %(drift_action_id)s AND ended_at IS NULL
RETURNING drift_action_id
