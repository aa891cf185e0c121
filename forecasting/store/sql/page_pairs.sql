-- Forecasts of some leads beside what happened, since a local day: of each origin the issue that consumers had first, with what weekly
-- naive and the predecessor said. What happened is looked up once, before anything is joined to it.
WITH met AS MATERIALIZED (
    SELECT f.series_id, f.issue_id, f.target_day, f.lead, f.tier, f.family, f.q10, f.q50, f.q90, f.actual, f.pinball, f.weekly_naive
    FROM published.forecast_vs_actual AS f
    WHERE f.series_id = %(series_id)s AND f.target_day >= %(since)s AND f.lead = ANY(%(leads)s)
)
SELECT DISTINCT ON (f.target_day, f.lead)
       f.target_day, f.lead, f.tier, f.family, f.q10, f.q50, f.q90, f.actual, f.pinball, abs(f.weekly_naive - f.actual) / 2 AS naive_pinball,
       (greatest(0.1 * (f.actual - b.q10), 0.9 * (b.q10 - f.actual)) + abs(f.actual - b.q50) / 2
           + greatest(0.9 * (f.actual - b.q90), 0.1 * (b.q90 - f.actual))) / 3 AS predecessor_pinball
FROM met AS f
JOIN published.issue AS i ON i.series_id = f.series_id AND i.issue_id = f.issue_id
LEFT JOIN published.predecessor AS b ON b.series_id = f.series_id AND b.issue_id = f.issue_id AND b.lead = f.lead
ORDER BY f.target_day, f.lead, i.readings_as_of, f.issue_id
