UPDATE fortnight.run
SET ended_at = clock_timestamp(), outcome = %(outcome)s, told = %(told)s
WHERE run_id = %(run_id)s
