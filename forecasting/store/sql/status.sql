-- What is stored of each series, by quantity: companions without any readings left out.
SELECT s.series_id, demand.series_id AS demand_id, s.quantity, s.source, s.interval_length AS interval, s.publication_delay,
       newest.interval_start + s.interval_length AS newest_end,
       run.as_of AS last_run_as_of, run.refused AS last_refusal,
       (SELECT count(*) FROM fortnight.gap AS g WHERE g.series_key = s.series_key AND g.healed_by IS NULL) AS gaps,
       coalesce((
           SELECT sum(extract(epoch FROM g.gap_end - g.gap_start) / extract(epoch FROM s.interval_length))
           FROM fortnight.gap AS g WHERE g.series_key = s.series_key AND g.healed_by IS NULL
       ), 0)::bigint AS missing_readings,
       (
           SELECT count(*) FROM fortnight.gap AS g
           WHERE g.series_key = s.series_key AND g.healed_by IS NULL AND g.gap_end > %(asked_since)s
       ) AS asked_gaps,
       (SELECT count(*) FROM fortnight.quarantine AS q WHERE q.series_key = s.series_key AND q.released_by IS NULL) AS quarantined,
       (
           SELECT count(*)
           FROM fortnight.quarantine AS q
           JOIN fortnight.ingest_run AS i USING (ingest_run_id)
           WHERE q.series_key = s.series_key AND q.released_by IS NULL AND i.as_of > %(recent_since)s
       ) AS newly_quarantined,
       forecast.origin AS forecast_origin, forecast.issued_at AS forecast_issued_at, forecast.model_name, forecast.model_version,
       forecast.tier AS forecast_tier, forecast.reason AS forecast_reason, forecast.feed_at_fault,
       (SELECT count(*) FROM fortnight.alert AS a WHERE a.series_key = s.series_key AND a.state IN ('firing', 'acknowledged')) AS open_alerts
FROM fortnight.series AS s
JOIN fortnight.series AS demand ON demand.series_key = coalesce(s.companion_of, s.series_key)
LEFT JOIN LATERAL (
    SELECT r.interval_start FROM fortnight.reading AS r
    WHERE r.series_key = s.series_key ORDER BY r.interval_start DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT i.as_of, i.refused FROM fortnight.ingest_run AS i
    WHERE i.series_key = s.series_key AND i.kind = 'daily' ORDER BY i.ingest_run_id DESC LIMIT 1
) AS run ON true
LEFT JOIN LATERAL (
    SELECT i.origin, i.issued_at, i.tier, i.reason, i.feed_at_fault, m.model_name, m.version AS model_version
    FROM fortnight.forecast_issue AS i
    LEFT JOIN fortnight.model_version AS m USING (model_version_key)
    WHERE i.series_key = s.series_key AND i.ready_at IS NOT NULL
    ORDER BY i.origin DESC, i.readings_as_of DESC, i.issue_id DESC
    LIMIT 1
) AS forecast ON true
WHERE s.companion_of IS NULL OR newest.interval_start IS NOT NULL OR run.as_of IS NOT NULL
ORDER BY demand.series_id, s.companion_of IS NOT NULL, s.quantity
