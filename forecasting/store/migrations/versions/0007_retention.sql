-- A month of values that lost rows and has not given the space back yet: whoever compacts next, goes on there.
ALTER TABLE fortnight.forecast_month ADD COLUMN vacuum_due boolean NOT NULL DEFAULT false;

-- Issues that stay whole, each with the reasons: what consumers see now, what the champion of today has said, what an alert points at,
-- what somebody holds, and what one of those is compared with.
CREATE VIEW fortnight.issue_kept AS
WITH needed AS (
    SELECT newest.issue_id, 'newest of its series' AS reason
    FROM fortnight.series AS s
    CROSS JOIN (VALUES ('daily')) AS r (resolution)
    CROSS JOIN LATERAL (
        SELECT f.issue_id
        FROM fortnight.forecast_issue AS f
        WHERE f.series_key = s.series_key AND f.resolution = r.resolution AND f.ready_at IS NOT NULL
        ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
        LIMIT 1
    ) AS newest
    UNION ALL
    SELECT i.issue_id, 'made by the present champion'
    FROM (
        SELECT DISTINCT ON (p.series_key, p.resolution) p.model_version_key
        FROM fortnight.promotion AS p
        ORDER BY p.series_key, p.resolution, p.as_of DESC, p.promotion_key DESC
    ) AS champion
    JOIN fortnight.forecast_issue AS i USING (model_version_key)
    UNION ALL
    SELECT a.issue_id, 'named by an alert' FROM fortnight.alert AS a WHERE a.issue_id IS NOT NULL
    UNION ALL
    SELECT h.issue_id, 'held' FROM fortnight.issue_hold AS h
)
SELECT issue_id, reason FROM needed
UNION
SELECT i.previous_issue_id, 'the one before a kept one'
FROM needed AS n
JOIN fortnight.forecast_issue AS i USING (issue_id)
WHERE i.previous_issue_id IS NOT NULL;

-- Of one month's issues, drops the values of all but some leads, and the paths; not of those that are kept whole. A month at a time, so
-- that it may be interrupted; a publishing run is not in its way, since its issue is the newest.
CREATE FUNCTION fortnight.compact(month date, leads smallint[], dry_run boolean, OUT values_dropped bigint, OUT paths_dropped bigint)
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    since timestamptz := compact.month::timestamp AT TIME ZONE 'UTC';
    until timestamptz := (compact.month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    kept bigint[];
BEGIN
    LOCK TABLE fortnight.issue_hold IN SHARE MODE;  -- nobody begins to hold an issue that is going
    PERFORM FROM fortnight.forecast_month AS m WHERE m.month = compact.month FOR NO KEY UPDATE;  -- one compaction of a month at a time
    kept := ARRAY(
        SELECT k.issue_id FROM fortnight.issue_kept AS k
        JOIN fortnight.forecast_issue AS i USING (issue_id)
        WHERE i.origin >= since AND i.origin < until
    );
    IF compact.dry_run THEN
        SELECT count(*) INTO values_dropped FROM fortnight.forecast_value AS v
        WHERE v.origin >= since AND v.origin < until AND v.lead <> ALL (compact.leads) AND v.issue_id <> ALL (kept);
        SELECT count(*) INTO paths_dropped FROM fortnight.forecast_path AS p
        JOIN fortnight.forecast_issue AS i USING (issue_id)
        WHERE i.origin >= since AND i.origin < until AND i.issue_id <> ALL (kept);
        RETURN;
    END IF;
    DELETE FROM fortnight.forecast_value AS v
    WHERE v.origin >= since AND v.origin < until AND v.lead <> ALL (compact.leads) AND v.issue_id <> ALL (kept);
    GET DIAGNOSTICS values_dropped = ROW_COUNT;
    DELETE FROM fortnight.forecast_path AS p
    USING fortnight.forecast_issue AS i
    WHERE i.issue_id = p.issue_id AND i.origin >= since AND i.origin < until AND i.issue_id <> ALL (kept);
    GET DIAGNOSTICS paths_dropped = ROW_COUNT;
    IF values_dropped > 0 THEN
        UPDATE fortnight.forecast_month AS m SET vacuum_due = true WHERE m.month = compact.month;
    END IF;
END;
$$;
