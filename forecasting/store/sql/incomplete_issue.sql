-- What is wrong with an issue, if anything: leads missing, or targets that do not follow one another from the origin.
SELECT CASE
    WHEN count(v.lead) <> i.leads OR min(v.lead) <> 1 OR max(v.lead) <> i.leads THEN format('%%s of %%s leads', count(v.lead), i.leads)
    WHEN min(v.target_start) <> i.origin THEN 'the first target does not begin at the origin'
    WHEN bool_or(v.gap) THEN 'targets do not follow one another'
END
FROM fortnight.forecast_issue AS i
LEFT JOIN LATERAL (
    SELECT f.lead, f.target_start, lead(f.target_start) OVER (ORDER BY f.lead) IS DISTINCT FROM f.target_end
           AND f.lead < i.leads AS gap
    FROM fortnight.forecast_value AS f
    WHERE f.issue_id = i.issue_id
) AS v ON true
WHERE i.issue_id = %(issue_id)s
GROUP BY i.issue_id
