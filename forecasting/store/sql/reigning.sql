-- The version of each model that was promoted last.
SELECT DISTINCT ON (m.model_name) m.model_name, m.version
FROM fortnight.promotion AS p
JOIN fortnight.model_version AS m USING (model_version_key)
ORDER BY m.model_name, p.as_of DESC, p.promotion_key DESC
