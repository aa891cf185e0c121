INSERT INTO fortnight.issue_hold (issue_id, reason, made_by)
VALUES (%(issue_id)s, %(reason)s, session_user)
ON CONFLICT (issue_id) DO NOTHING
