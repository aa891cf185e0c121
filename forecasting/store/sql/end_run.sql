-- A step whose connection broke could not write its end down.
WITH steps AS (
    UPDATE fortnight.run_step
    SET ended_at = clock_timestamp(), outcome = 'failed', told = 'the connection to Postgres broke'
    WHERE run_id = %(run_id)s AND ended_at IS NULL
)
UPDATE fortnight.run
SET ended_at = clock_timestamp(), outcome = %(outcome)s, told = %(told)s
WHERE run_id = %(run_id)s
