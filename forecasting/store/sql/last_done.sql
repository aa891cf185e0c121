SELECT max(as_of) FROM fortnight.run_step
WHERE series_id = %(series_id)s AND job = %(job)s AND outcome = 'done'
