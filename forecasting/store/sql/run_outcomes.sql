SELECT run_id, CASE WHEN ended_at < clock_timestamp() - interval '1 minute' THEN outcome END
FROM fortnight.run
WHERE run_id = ANY(%(run_ids)s)
