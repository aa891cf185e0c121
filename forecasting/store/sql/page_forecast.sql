-- The newest forecast of a series, by lead.
SELECT lead, target_start, target_end, mean, q05, q10, q30, q50, q70, q90, q95
FROM published.forecast_latest
WHERE series_id = %(series_id)s AND resolution = 'daily'
ORDER BY lead
