-- How good forecasts were since a local day, by lead, of each origin the issue that consumers had first; weekly naive on the same days.
-- What happened is looked up once, before anything is joined to it.
WITH met AS MATERIALIZED (
    SELECT f.series_id, f.issue_id, f.target_day, f.lead, f.absolute_error, f.actual, f.pinball, f.inside_80, f.weekly_naive
    FROM published.forecast_vs_actual AS f
    WHERE f.series_id = %(series_id)s AND f.target_day >= %(since)s
)
SELECT e.lead, count(*) AS n, avg(e.absolute_error) AS mae, 100 * avg(e.absolute_error / nullif(abs(e.actual), 0)) AS mape_percent,
       avg(abs(e.weekly_naive - e.actual)) AS naive_mae,
       100 * avg(abs(e.weekly_naive - e.actual) / nullif(abs(e.actual), 0)) AS naive_mape_percent,
       avg(e.inside_80::int)::float8 AS coverage_80,
       1 - 2 * avg(e.pinball) FILTER (WHERE e.weekly_naive IS NOT NULL) / nullif(avg(abs(e.weekly_naive - e.actual)), 0) AS skill
FROM (
    SELECT DISTINCT ON (f.target_day, f.lead) f.*
    FROM met AS f
    JOIN published.issue AS i ON i.series_id = f.series_id AND i.issue_id = f.issue_id
    ORDER BY f.target_day, f.lead, i.readings_as_of, f.issue_id
) AS e
GROUP BY e.lead
ORDER BY e.lead
