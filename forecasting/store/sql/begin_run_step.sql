INSERT INTO fortnight.run_step (run_id, job, series_id, as_of)
VALUES (%(run_id)s, %(job)s, %(series_id)s, %(as_of)s)
RETURNING run_step_key
