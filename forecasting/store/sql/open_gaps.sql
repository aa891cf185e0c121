SELECT gap_start, gap_end
FROM fortnight.gap
WHERE series_key = %(series_key)s AND healed_by IS NULL AND gap_end > %(since)s AND gap_start < %(until)s
ORDER BY gap_start
