-- The newest step of each job of each series that has ended lately.
SELECT DISTINCT ON (series_id, job) run_id, series_id, job, started_by, as_of, started_at, ended_at, seconds, outcome, told
FROM published.run
WHERE outcome IS NOT NULL AND started_at > %(since)s
ORDER BY series_id, job, started_at DESC
