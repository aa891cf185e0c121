SELECT lead, count(*) AS n,
       100 * avg(absolute_error / abs(nullif(actual, 0))) AS mape_percent,
       100 * avg(abs(weekly_naive - actual) / abs(nullif(actual, 0))) AS weekly_naive_mape_percent,
       avg(pinball) AS pinball_mwh,
       1 - 2 * avg(pinball) FILTER (WHERE weekly_naive IS NOT NULL) / nullif(avg(abs(weekly_naive - actual)), 0) AS skill,
       avg(inside_80::int)::float8 AS coverage_80
FROM published.forecast_vs_actual_v1
WHERE series_id = %(series_id)s AND resolution = 'daily' AND origin >= %(since)s AND origin <= %(until)s
GROUP BY lead
ORDER BY lead
