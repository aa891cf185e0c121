WITH dead AS (
    SELECT run_id
    FROM fortnight.run
    WHERE ended_at IS NULL AND started_at < clock_timestamp() - %(older_than)s
    FOR NO KEY UPDATE SKIP LOCKED  -- which lets steps be added, that refer to the run
),
steps AS (
    UPDATE fortnight.run_step AS s
    SET ended_at = clock_timestamp(), outcome = 'died', told = 'its process is gone'
    FROM dead
    WHERE s.run_id = dead.run_id AND s.ended_at IS NULL
)
UPDATE fortnight.run AS r
SET ended_at = clock_timestamp(), outcome = 'died', told = 'its process is gone'
FROM dead
WHERE r.run_id = dead.run_id
RETURNING r.run_id, r.started_at, r.started_by, r.host, r.pid
