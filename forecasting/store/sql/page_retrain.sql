-- The newest retrain of each series.
SELECT DISTINCT ON (series_id) series_id, as_of, model_version, elected, newest_week_pinball, newest_week_weekly_naive_pinball, pinball,
       skill_vs_weekly_naive
FROM published.retrain
WHERE resolution = 'daily' AND (%(series_id)s::text IS NULL OR series_id = %(series_id)s)
ORDER BY series_id, as_of DESC
