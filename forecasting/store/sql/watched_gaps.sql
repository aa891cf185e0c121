-- Readings missing in the holes of the last days that were known of and not healed by then.
SELECT coalesce(sum(extract(epoch FROM least(g.gap_end, %(as_of)s) - greatest(g.gap_start, %(since)s))
                    / extract(epoch FROM s.interval_length)), 0)::bigint,
       min(g.gap_start)
FROM fortnight.gap AS g
JOIN fortnight.series AS s USING (series_key)
JOIN fortnight.ingest_run AS found ON found.ingest_run_id = g.found_by
LEFT JOIN fortnight.ingest_run AS healed ON healed.ingest_run_id = g.healed_by
WHERE g.series_key = %(series_key)s AND g.gap_end > %(since)s AND g.gap_start < %(as_of)s AND found.as_of <= %(as_of)s
  AND (healed.as_of IS NULL OR healed.as_of > %(as_of)s)
