-- Loss over the newest week of the forecaster in charge after each retrain, beside weekly naive on the same windows; one row an
-- as-of day, oldest first.
SELECT DISTINCT ON (m.as_of::date) m.as_of, chosen.newest_week_pinball_mwh AS model_mwh, naive.newest_week_pinball_mwh AS weekly_naive_mwh, m.model_name,
       CASE WHEN e.elected THEN m.version ELSE chosen.version END AS version
FROM fortnight.model_version AS m
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM fortnight.promotion AS p WHERE p.model_version_key = m.model_version_key AND p.kind = 'elected'
    ) AS elected
) AS e
JOIN fortnight.validation_score AS chosen
    ON chosen.model_version_key = m.model_version_key
   AND chosen.forecaster = CASE WHEN e.elected THEN 'candidate' ELSE 'champion' END
JOIN fortnight.validation_score AS naive
    ON naive.model_version_key = m.model_version_key AND naive.forecaster = 'weekly_naive'
WHERE m.series_key = %(series_key)s AND m.resolution = %(resolution)s AND m.as_of <= %(as_of)s
ORDER BY m.as_of::date, m.as_of DESC, m.model_version_key DESC
