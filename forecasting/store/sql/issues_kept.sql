SELECT k.reason, count(*)
FROM fortnight.issue_kept AS k
JOIN fortnight.forecast_issue AS i USING (issue_id)
WHERE i.origin < %(before)s
GROUP BY k.reason
ORDER BY k.reason
