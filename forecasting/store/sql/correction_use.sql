-- Readings corrected at a moment, and who had used the old values.
WITH corrected AS (
    SELECT models, forecasts FROM published.corrections WHERE series_id = %(series_id)s AND known_at = %(known_at)s
)
SELECT (SELECT count(*) FROM corrected),
       ARRAY(SELECT DISTINCT model FROM corrected, unnest(models) AS model ORDER BY model),
       (SELECT count(DISTINCT issue) FROM corrected, unnest(forecasts) AS issue)
