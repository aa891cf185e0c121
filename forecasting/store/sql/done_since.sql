SELECT FROM fortnight.run_step
WHERE series_id = %(series_id)s AND job = %(job)s AND as_of >= %(since)s AND outcome = 'done'
LIMIT 1
