-- The newest versions with their validation loss, and how each became champion, if it did.
SELECT
    m.version, m.family, m.information, m.as_of, m.contender, s.pinball_mwh, s.mape_percent, s.coverage_80,
    (SELECT p.kind || ' ' || to_char(p.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD')
     FROM fortnight.promotion AS p WHERE p.model_version_key = m.model_version_key
     ORDER BY p.promotion_key DESC LIMIT 1) AS promoted
FROM fortnight.model_version AS m
LEFT JOIN fortnight.model_version AS c ON c.retrain_key = m.retrain_key AND c.contender
LEFT JOIN fortnight.validation_score AS s ON s.model_version_key = c.model_version_key AND s.forecaster = m.family
WHERE m.series_key = %(series_key)s AND m.as_of <= %(as_of)s
ORDER BY m.model_version_key DESC
LIMIT %(limit)s
