-- Prefect begins a run that it took for lost again under the same id.
INSERT INTO fortnight.run (run_id, started_by, host, pid)
VALUES (%(run_id)s, %(started_by)s, %(host)s, %(pid)s)
ON CONFLICT (run_id) DO UPDATE
SET started_at = clock_timestamp(), host = excluded.host, pid = excluded.pid, ended_at = NULL, outcome = NULL, told = NULL
