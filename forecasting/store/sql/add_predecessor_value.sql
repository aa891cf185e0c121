INSERT INTO fortnight.predecessor_value (issue_id, lead, model_version_key, q10, q50, q90)
VALUES (%(issue_id)s, %(lead)s, %(key)s, %(q10)s, %(q50)s, %(q90)s)
