-- The last steps of runs about a series and about all together, newest first.
SELECT run_id, series_id, job, started_by, as_of, started_at, ended_at, seconds, outcome, told
FROM published.run
WHERE series_id IS NULL OR series_id = %(series_id)s
ORDER BY started_at DESC
LIMIT %(most)s
