UPDATE fortnight.run_step
SET ended_at = clock_timestamp(), outcome = %(outcome)s, told = %(told)s
WHERE run_step_key = %(key)s
