-- The contract with consumers. The real thing is NAME_v1, which never changes: its columns, their order, types and meaning stay. The
-- stable name NAME is the newest version, SELECT * FROM NAME_v1. A change makes NAME_v2 beside it; both live for a while.
DROP VIEW published.corrections;
DROP FUNCTION published.demand_as_of(timestamptz), published.weather_as_of(timestamptz), published.demand_forecast_as_of(timestamptz);
CREATE INDEX series_companion ON fortnight.series (companion_of, quantity);
CREATE INDEX forecast_issue_ready
    ON fortnight.forecast_issue (series_key, resolution, origin DESC, readings_as_of DESC, issue_id DESC) INCLUDE (leads)
    WHERE ready_at IS NOT NULL;
CREATE INDEX alert_series ON fortnight.alert (series_key);

-- ------------------------------------------------------------------------------------------------------------------- readings
CREATE VIEW published.series_v1 AS
SELECT s.series_id, s.name, s.region, s.time_zone, s.unit, s.interval_length, s.source, s.simulated
FROM fortnight.series AS s
WHERE s.quantity = 'demand';

CREATE VIEW published.demand_version_v1 AS
SELECT s.series_id, r.interval_start, r.value, s.unit, r.known_at, r.ingest_run_id
FROM fortnight.series AS s
JOIN fortnight.reading AS r USING (series_key)
WHERE s.quantity = 'demand';

CREATE VIEW published.weather_version_v1 AS
SELECT d.series_id, s.quantity, r.interval_start, r.value, s.unit, r.known_at, r.ingest_run_id
FROM fortnight.series AS d
JOIN fortnight.series AS s ON s.companion_of = d.series_key AND s.quantity IN ('temperature', 'temperature_forecast')
JOIN fortnight.reading AS r ON r.series_key = s.series_key;

CREATE VIEW published.demand_forecast_version_v1 AS
SELECT d.series_id, r.interval_start, r.value, s.unit, r.known_at, r.ingest_run_id
FROM fortnight.series AS d
JOIN fortnight.series AS s ON s.companion_of = d.series_key AND s.quantity = 'demand_forecast'
JOIN fortnight.reading AS r ON r.series_key = s.series_key;

-- With the rights of whoever asks, and over views only: Postgres melts such a function into the query, so that a filter on series and
-- time reaches the primary key of the readings.
CREATE FUNCTION published.demand_as_of_v1(t timestamptz)
RETURNS TABLE (series_id text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.series_id, r.interval_start, r.value, s.unit, r.known_at
    FROM published.series_v1 AS s
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (v.interval_start) v.interval_start, v.value, v.known_at
        FROM published.demand_version_v1 AS v
        WHERE v.series_id = s.series_id AND v.known_at <= demand_as_of_v1.t
        ORDER BY v.interval_start, v.known_at DESC, v.ingest_run_id DESC
    ) AS r;
END;

CREATE FUNCTION published.weather_as_of_v1(t timestamptz)
RETURNS TABLE (series_id text, quantity text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.series_id, r.quantity, r.interval_start, r.value, r.unit, r.known_at
    FROM published.series_v1 AS s
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (v.quantity, v.interval_start) v.quantity, v.interval_start, v.value, v.unit, v.known_at
        FROM published.weather_version_v1 AS v
        WHERE v.series_id = s.series_id AND v.known_at <= weather_as_of_v1.t
        ORDER BY v.quantity, v.interval_start, v.known_at DESC, v.ingest_run_id DESC
    ) AS r;
END;

CREATE FUNCTION published.demand_forecast_as_of_v1(t timestamptz)
RETURNS TABLE (series_id text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.series_id, r.interval_start, r.value, s.unit, r.known_at
    FROM published.series_v1 AS s
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (v.interval_start) v.interval_start, v.value, v.known_at
        FROM published.demand_forecast_version_v1 AS v
        WHERE v.series_id = s.series_id AND v.known_at <= demand_forecast_as_of_v1.t
        ORDER BY v.interval_start, v.known_at DESC, v.ingest_run_id DESC
    ) AS r;
END;

CREATE VIEW published.corrections_v1 AS
SELECT s.series_id, c.interval_start, c.old_value, c.new_value, s.unit, c.old_known_at, c.known_at, used.models, used.forecasts
FROM fortnight.correction AS c
JOIN fortnight.series AS s USING (series_key)
CROSS JOIN LATERAL (
    SELECT ARRAY(
               SELECT m.model_name || ' version ' || m.version
               FROM fortnight.model_version AS m
               WHERE m.series_key = c.series_key AND m.as_of >= c.old_known_at AND m.as_of < c.known_at
                 AND c.interval_start >= m.history_start AND c.interval_start < m.history_end
               ORDER BY m.model_version_key
           ) AS models,
           ARRAY(
               SELECT i.issue_id
               FROM fortnight.forecast_issue AS i
               LEFT JOIN fortnight.model_version AS m USING (model_version_key)
               WHERE i.series_key = c.series_key AND i.ready_at IS NOT NULL
                 AND (i.readings_as_of >= c.old_known_at AND i.readings_as_of < c.known_at
                      AND c.interval_start >= i.inputs_start AND c.interval_start < i.origin
                      OR m.as_of >= c.old_known_at AND m.as_of < c.known_at
                      AND c.interval_start >= m.history_start AND c.interval_start < m.history_end)
               ORDER BY i.issue_id
           ) AS forecasts
) AS used
WHERE s.quantity = 'demand';

-- ------------------------------------------------------------------------------------------------------------------ forecasts
CREATE VIEW published.issue_v1 AS
SELECT s.series_id, i.resolution, i.issue_id, i.origin, i.readings_as_of, i.weather_issued_at, i.issued_at, i.ready_at, i.leads, i.unit,
       i.tier, i.reason, i.feed_at_fault, i.age_days, m.model_name, m.version AS model_version, m.family, m.mlflow_run_id, i.git_sha,
       i.previous_issue_id
FROM fortnight.series AS s
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.ready_at IS NOT NULL
LEFT JOIN fortnight.model_version AS m USING (model_version_key);

-- OFFSET 0: issue by issue, each from its own month. The planner believes that an issue is looked for in every month, and would rather
-- read them all, by all processes at once.
ALTER TABLE fortnight.forecast_issue SET (parallel_workers = 0);
CREATE VIEW published.forecast_v1 AS
SELECT s.series_id, i.resolution, v.target_start, v.target_end, v.lead, v.mean, v.q10, v.q50, v.q90, i.unit, i.issued_at, i.origin,
       m.model_name, m.version AS model_version, m.mlflow_run_id, i.readings_as_of, i.issue_id, i.tier, i.reason,
       v.q01, v.q05, v.q30, v.q70, v.q95, v.q99, i.ready_at, i.feed_at_fault, i.age_days, i.git_sha, i.weather_issued_at
FROM fortnight.series AS s
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.ready_at IS NOT NULL
CROSS JOIN LATERAL (
    SELECT * FROM fortnight.forecast_value AS x WHERE x.issue_id = i.issue_id AND x.origin = i.origin OFFSET 0
) AS v
LEFT JOIN fortnight.model_version AS m USING (model_version_key);

CREATE VIEW published.forecast_latest_v1 AS
SELECT s.series_id, i.resolution, v.target_start, v.target_end, v.lead, v.mean, v.q10, v.q50, v.q90, i.unit, i.issued_at, i.origin,
       m.model_name, m.version AS model_version, m.mlflow_run_id, i.readings_as_of, i.issue_id, i.tier, i.reason,
       v.q01, v.q05, v.q30, v.q70, v.q95, v.q99, i.ready_at, i.feed_at_fault, i.age_days, i.git_sha, i.weather_issued_at
FROM fortnight.series AS s
CROSS JOIN (VALUES ('daily')) AS r (resolution)
CROSS JOIN LATERAL (
    SELECT *
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = r.resolution AND f.ready_at IS NOT NULL
    ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
    LIMIT 1
) AS i
JOIN fortnight.forecast_value AS v USING (issue_id, origin)
LEFT JOIN fortnight.model_version AS m USING (model_version_key);

CREATE FUNCTION published.forecast_as_of_v1(t timestamptz)
RETURNS TABLE (
    series_id text, resolution text, target_start timestamptz, target_end timestamptz, lead smallint, mean double precision,
    q10 double precision, q50 double precision, q90 double precision, unit text, issued_at timestamptz, origin timestamptz,
    model_name text, model_version integer, mlflow_run_id text, readings_as_of timestamptz, issue_id bigint, tier text, reason text,
    q01 double precision, q05 double precision, q30 double precision, q70 double precision, q95 double precision,
    q99 double precision, ready_at timestamptz, feed_at_fault text, age_days smallint, git_sha text, weather_issued_at timestamptz
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.*
    FROM published.series_v1 AS s
    CROSS JOIN (VALUES ('daily')) AS r (resolution)
    CROSS JOIN LATERAL (
        SELECT i.issue_id, i.origin
        FROM published.issue_v1 AS i
        WHERE i.series_id = s.series_id AND i.resolution = r.resolution AND i.readings_as_of <= forecast_as_of_v1.t
        ORDER BY i.origin DESC, i.readings_as_of DESC, i.issue_id DESC
        LIMIT 1
    ) AS newest
    JOIN published.forecast_v1 AS f ON f.series_id = s.series_id AND f.issue_id = newest.issue_id AND f.origin = newest.origin;
END;

-- ------------------------------------------------------------------------------------------------------------------- how good
-- One day after the other, each with the forecasts that meant it: energies of a day are summed once for all leads. A target is a
-- local day, so its lead is known from the origin; that finds each row by its key. Only whole days count. OFFSET 0 and LIMIT 1 keep the
-- planner, which cannot know how many days there are, from reading all forecasts of all series instead.
CREATE VIEW published.forecast_vs_actual_v1 AS
SELECT s.series_id, i.resolution, i.issue_id, v.lead, i.origin, d.day_start AS target_start, d.day_end AS target_end, d.target_day, i.tier,
       m.model_name, m.version AS model_version, m.family, i.unit, v.mean, v.q01, v.q10, v.q50, v.q90, v.q99, a.actual_first, a.actual,
       v.q50 - a.actual AS error, abs(v.q50 - a.actual) AS absolute_error, v.mean - a.actual AS mean_error,
       (greatest(0.1 * (a.actual - v.q10), 0.9 * (v.q10 - a.actual)) + abs(a.actual - v.q50) / 2
           + greatest(0.9 * (a.actual - v.q90), 0.1 * (v.q90 - a.actual))) / 3 AS pinball,
       a.actual BETWEEN v.q10 AND v.q90 AS inside_80, a.actual BETWEEN v.q01 AND v.q99 AS inside_98,
       n.weekly_naive, o.operator_forecast
FROM fortnight.series AS s
LEFT JOIN fortnight.series AS c ON c.companion_of = s.series_key AND c.quantity = 'demand_forecast'
CROSS JOIN LATERAL (
    SELECT min(f.origin AT TIME ZONE s.time_zone)::date AS first_day, max(f.origin AT TIME ZONE s.time_zone)::date AS last_origin,
           max(f.leads) AS leads
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
) AS span
CROSS JOIN LATERAL (
    SELECT g.day::date AS target_day, g.day AT TIME ZONE s.time_zone AS day_start,
           (g.day + interval '1 day') AT TIME ZONE s.time_zone AS day_end
    FROM generate_series(span.first_day::timestamp, (span.last_origin + span.leads)::timestamp, interval '1 day') AS g (day)
) AS d
CROSS JOIN LATERAL (
    SELECT sum(r.value) FILTER (WHERE r.is_first) AS actual_first, sum(r.value) FILTER (WHERE r.is_newest) AS actual
    FROM (
        SELECT e.value, lag(e.interval_start) OVER versions IS DISTINCT FROM e.interval_start AS is_first,
               lead(e.interval_start) OVER versions IS DISTINCT FROM e.interval_start AS is_newest
        FROM fortnight.reading AS e
        WHERE e.series_key = s.series_key AND e.interval_start >= d.day_start AND e.interval_start < d.day_end
        WINDOW versions AS (ORDER BY e.interval_start, e.known_at, e.ingest_run_id)
    ) AS r
    HAVING count(*) FILTER (WHERE r.is_newest) * s.interval_length = d.day_end - d.day_start
) AS a
CROSS JOIN LATERAL generate_series(1, (span.leads + 6) / 7) AS w (weeks)
LEFT JOIN LATERAL (
    SELECT sum(r.value) * extract(epoch FROM d.day_end - d.day_start)::float8 / extract(epoch FROM b.day_end - b.day_start)::float8
               AS weekly_naive
    FROM (
        SELECT (d.target_day - 7 * w.weeks)::timestamp AT TIME ZONE s.time_zone AS day_start,
               (d.target_day - 7 * w.weeks + 1)::timestamp AT TIME ZONE s.time_zone AS day_end
    ) AS b
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (e.interval_start) e.value
        FROM fortnight.reading AS e
        WHERE e.series_key = s.series_key AND e.interval_start >= b.day_start AND e.interval_start < b.day_end
        ORDER BY e.interval_start, e.known_at, e.ingest_run_id
    ) AS r
    GROUP BY b.day_start, b.day_end
    HAVING count(*) * s.interval_length = b.day_end - b.day_start
) AS n ON true
CROSS JOIN LATERAL (
    SELECT f.issue_id, f.resolution, f.origin, f.tier, f.unit, f.readings_as_of, f.model_version_key
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
      AND f.origin >= (d.target_day - 7 * w.weeks + 1)::timestamp AT TIME ZONE s.time_zone
      AND f.origin <= (d.target_day - 7 * w.weeks + 7)::timestamp AT TIME ZONE s.time_zone
    OFFSET 0
) AS i
CROSS JOIN LATERAL (
    SELECT x.lead, x.mean, x.q01, x.q10, x.q50, x.q90, x.q99
    FROM fortnight.forecast_value AS x
    WHERE x.issue_id = i.issue_id AND x.origin = i.origin AND x.target_start = d.day_start
      AND x.lead = (d.target_day - (i.origin AT TIME ZONE s.time_zone)::date + 1)::smallint
    LIMIT 1
) AS v
LEFT JOIN fortnight.model_version AS m USING (model_version_key)
LEFT JOIN LATERAL (
    SELECT sum(r.value) AS operator_forecast
    FROM (
        SELECT FROM fortnight.reading AS e
        WHERE e.series_key = c.series_key AND e.interval_start = d.day_start AND e.known_at <= i.readings_as_of
        LIMIT 1  -- the operator looks a day or two ahead: one probe spares the search for the rest
    ) AS known
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (e.interval_start) e.value
        FROM fortnight.reading AS e
        WHERE e.series_key = c.series_key AND e.interval_start >= d.day_start AND e.interval_start < d.day_end
          AND e.known_at <= i.readings_as_of
        ORDER BY e.interval_start, e.known_at DESC, e.ingest_run_id DESC
    ) AS r
    HAVING count(*) * c.interval_length = d.day_end - d.day_start
) AS o ON true;

CREATE VIEW published.accuracy_v1 AS
SELECT s.series_id, a.month, a.lead, a.tier, a.model_name, a.model_version, a.family, a.unit, a.n, a.mae, a.mape_percent,
       a.mae / nullif(scale.week_on_week, 0) AS mase, a.bias, a.pinball, a.coverage_80, a.coverage_98,
       a.skill_vs_weekly_naive, a.skill_vs_operator
FROM fortnight.series AS s
CROSS JOIN LATERAL (
    SELECT f.month, f.lead, f.tier, f.model_name, f.model_version, f.family, f.unit, count(*) AS n,
           avg(f.absolute_error) AS mae,
           100 * avg(f.absolute_error / abs(nullif(f.actual, 0))) AS mape_percent,
           avg(f.mean_error) AS bias, avg(f.pinball) AS pinball,
           avg(f.inside_80::int)::float8 AS coverage_80, avg(f.inside_98::int)::float8 AS coverage_98,
           1 - 2 * avg(f.pinball) FILTER (WHERE f.weekly_naive IS NOT NULL)
               / nullif(avg(abs(f.weekly_naive - f.actual)), 0) AS skill_vs_weekly_naive,
           1 - 2 * avg(f.pinball) FILTER (WHERE f.operator_forecast IS NOT NULL)
               / nullif(avg(abs(f.operator_forecast - f.actual)), 0) AS skill_vs_operator
    FROM (
        SELECT date_trunc('month', e.target_day::timestamp)::date AS month, e.*
        FROM published.forecast_vs_actual_v1 AS e
        WHERE e.series_id = s.series_id
    ) AS f
    GROUP BY f.month, f.lead, f.tier, f.model_name, f.model_version, f.family, f.unit
) AS a
LEFT JOIN LATERAL (
    SELECT g.month::date AS month, avg(c.change) AS week_on_week
    FROM (
        SELECT min(f.origin) AS first_origin, max(f.origin) AS last_origin
        FROM fortnight.forecast_issue AS f
        WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
    ) AS span
    CROSS JOIN LATERAL (
        SELECT x.day, abs(x.mwh - min(x.mwh) OVER (
                   ORDER BY x.day RANGE BETWEEN interval '7 days' PRECEDING AND interval '7 days' PRECEDING
               )) AS change
        FROM (
            SELECT r.day, sum(r.value) AS mwh
            FROM (
                SELECT DISTINCT ON (e.interval_start) (e.interval_start AT TIME ZONE s.time_zone)::date AS day, e.value
                FROM fortnight.reading AS e
                WHERE e.series_key = s.series_key AND e.interval_start >= span.first_origin - interval '410 days'
                ORDER BY e.interval_start DESC, e.known_at DESC, e.ingest_run_id DESC
            ) AS r
            GROUP BY r.day
            HAVING count(*) * s.interval_length
                = (r.day + 1)::timestamp AT TIME ZONE s.time_zone - r.day::timestamp AT TIME ZONE s.time_zone
        ) AS x
    ) AS c
    JOIN LATERAL generate_series(
        date_trunc('month', span.first_origin AT TIME ZONE s.time_zone), span.last_origin AT TIME ZONE s.time_zone + interval '2 months',
        interval '1 month'
    ) AS g (month) ON c.day >= g.month::date - 365 AND c.day < g.month::date
    GROUP BY g.month
) AS scale ON scale.month = a.month;

-- --------------------------------------------------------------------------------------------------------- more of a forecast
CREATE VIEW published.daily_peak_v1 AS
SELECT s.series_id, i.issue_id, v.lead, v.target_start, v.target_end, v.peak_q10_mw AS p10_mw, v.peak_q50_mw AS p50_mw,
       v.peak_q90_mw AS p90_mw, v.peak_start, v.peak_start AT TIME ZONE s.time_zone AS peak_start_local,
       i.issue_id = newest.issue_id AS latest
FROM fortnight.series AS s
CROSS JOIN LATERAL (
    SELECT f.issue_id
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
    ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
    LIMIT 1
) AS newest
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.resolution = 'daily' AND i.ready_at IS NOT NULL
CROSS JOIN LATERAL (
    SELECT * FROM fortnight.forecast_value AS x WHERE x.issue_id = i.issue_id AND x.origin = i.origin OFFSET 0
) AS v
WHERE v.peak_q50_mw IS NOT NULL;

CREATE VIEW published.path_v1 AS
SELECT s.series_id, p.issue_id, i.origin, ((u.n - 1) / array_length(p.values_mwh, 2) + 1)::integer AS path, p.lead,
       v.target_start + (u.n - 1) % array_length(p.values_mwh, 2) * s.interval_length AS interval_start,
       u.value::float8 AS mwh, u.value::float8 / (extract(epoch FROM s.interval_length)::float8 / 3600) AS mw,
       v.target_start, v.target_end
FROM fortnight.series AS s
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.ready_at IS NOT NULL
JOIN fortnight.forecast_path AS p ON p.issue_id = i.issue_id
JOIN fortnight.forecast_value AS v ON v.issue_id = p.issue_id AND v.origin = i.origin AND v.lead = p.lead
CROSS JOIN LATERAL unnest(p.values_mwh) WITH ORDINALITY AS u (value, n);

-- With the owner's rights, since it looks for the newest issue with paths among the private tables.
CREATE FUNCTION published.exceedance_v1(series text, mw double precision)
RETURNS TABLE (
    series_id text, issue_id bigint, origin timestamptz, lead smallint, target_start timestamptz, target_end timestamptz,
    threshold_mw double precision, probability double precision, expected_hours double precision, paths integer, latest boolean
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT exceedance_v1.series, i.issue_id, i.origin, p.lead, p.target_start, p.target_end, exceedance_v1.mw,
           avg((p.highest > exceedance_v1.mw)::int)::float8, avg(p.intervals_above) * extract(epoch FROM i.interval_length)::float8 / 3600,
           count(*)::integer, i.newer_issues = 0
    FROM (
        SELECT f.issue_id, f.origin, s.interval_length, (
                   SELECT count(*) FROM fortnight.forecast_issue AS n
                   WHERE n.series_key = f.series_key AND n.resolution = f.resolution AND n.ready_at IS NOT NULL
                     AND (n.origin, n.readings_as_of, n.issue_id) > (f.origin, f.readings_as_of, f.issue_id)
               ) AS newer_issues
        FROM fortnight.series AS s
        JOIN fortnight.forecast_issue AS f ON f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
        WHERE s.series_id = exceedance_v1.series AND s.quantity = 'demand'
          AND EXISTS (SELECT FROM fortnight.forecast_path AS p WHERE p.issue_id = f.issue_id)
        ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
        LIMIT 1
    ) AS i
    CROSS JOIN LATERAL (
        SELECT q.lead, q.target_start, q.target_end, max(q.mw) AS highest,
               count(*) FILTER (WHERE q.mw > exceedance_v1.mw)::float8 AS intervals_above
        FROM published.path_v1 AS q
        WHERE q.series_id = exceedance_v1.series AND q.issue_id = i.issue_id
        GROUP BY q.lead, q.target_start, q.target_end, q.path
    ) AS p
    GROUP BY i.issue_id, i.origin, i.interval_length, i.newer_issues, p.lead, p.target_start, p.target_end
    ORDER BY p.lead;
END;

CREATE VIEW published.driver_v1 AS
SELECT s.series_id, i.issue_id, v.lead, v.target_start, v.target_end, v.reference_mwh / h.hours AS reference_mw,
       v.calendar_mwh / h.hours AS calendar_mw, v.weather_mwh / h.hours AS weather_mw,
       (v.mean - v.reference_mwh - v.calendar_mwh - coalesce(v.weather_mwh, 0)) / h.hours AS level_mw, v.mean / h.hours AS mean_mw,
       i.issue_id = newest.issue_id AS latest
FROM fortnight.series AS s
CROSS JOIN LATERAL (
    SELECT f.issue_id
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
    ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
    LIMIT 1
) AS newest
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.resolution = 'daily' AND i.ready_at IS NOT NULL
CROSS JOIN LATERAL (
    SELECT * FROM fortnight.forecast_value AS x WHERE x.issue_id = i.issue_id AND x.origin = i.origin OFFSET 0
) AS v
CROSS JOIN LATERAL (SELECT extract(epoch FROM v.target_end - v.target_start)::float8 / 3600 AS hours) AS h;

-- Both issues forecast the same target: what the new model says from the new inputs less what the old one says from them; what weather
-- adds now less what it added before; and the rest, which readings that came since have changed.
CREATE VIEW published.revision_v1 AS
SELECT s.series_id, i.issue_id, i.previous_issue_id, v.lead, v.target_start, v.target_end, v.mean / h.hours AS mean_mw,
       before.mean / h.hours AS mean_before_mw, (v.mean - before.mean) / h.hours AS change_mw,
       part.new_model / h.hours AS new_model_mw, part.new_weather / h.hours AS new_weather_mw,
       (v.mean - before.mean - part.new_model - coalesce(part.new_weather, 0)) / h.hours AS new_readings_mw, i.issue_id = newest.issue_id AS latest
FROM fortnight.series AS s
CROSS JOIN LATERAL (
    SELECT f.issue_id
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
    ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
    LIMIT 1
) AS newest
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.resolution = 'daily' AND i.ready_at IS NOT NULL
JOIN fortnight.forecast_issue AS p ON p.issue_id = i.previous_issue_id AND p.ready_at IS NOT NULL
LEFT JOIN fortnight.model_version AS m ON m.model_version_key = i.model_version_key
LEFT JOIN fortnight.model_version AS pm ON pm.model_version_key = p.model_version_key
CROSS JOIN LATERAL (
    SELECT * FROM fortnight.forecast_value AS x WHERE x.issue_id = i.issue_id AND x.origin = i.origin OFFSET 0
) AS v
LEFT JOIN LATERAL (
    SELECT * FROM fortnight.forecast_value AS x
    WHERE x.issue_id = p.issue_id AND x.origin = p.origin AND x.target_start = v.target_start
    LIMIT 1
) AS before ON true
CROSS JOIN LATERAL (SELECT extract(epoch FROM v.target_end - v.target_start)::float8 / 3600 AS hours) AS h
CROSS JOIN LATERAL (
    SELECT CASE
               WHEN before.mean IS NULL THEN NULL
               WHEN i.model_version_key IS NOT DISTINCT FROM p.model_version_key THEN 0
               ELSE v.mean - v.previous_model_mwh
           END AS new_model,
           CASE WHEN m.family = pm.family THEN v.weather_mwh - before.weather_mwh END AS new_weather
) AS part;

-- ------------------------------------------------------------------------------------------------------------- how things stand
CREATE VIEW published.alert_v1 AS
SELECT a.alert_id, s.series_id, a.rule, a.severity, a.state, a.since, a.pending_as_of, a.fired_as_of, a.last_bad_as_of, a.resolved_as_of,
       a.resolved_at, a.message, a.cause, a.remedy, a.severity_score, a.mlflow_run_id, a.issue_id, a.inhibited_by, a.acknowledged_at,
       a.acknowledged_by, a.note, a.escalated_as_of
FROM fortnight.alert AS a
LEFT JOIN fortnight.series AS s USING (series_key);

CREATE VIEW published.status_v1 AS
SELECT s.series_id, newest.reading_end AS newest_reading_end, now() - newest.reading_end AS reading_age,
       i.issue_id, i.origin, i.ready_at, i.tier, i.reason, i.feed_at_fault, i.age_days, last.target_end AS last_target_end,
       run.as_of AS last_ingest_as_of, run.refused AS last_ingest_refused, gap.open_gaps, bad.quarantined_7_days,
       firing.alerts AS alerts_firing,
       CASE
           WHEN newest.reading_end IS NULL OR newest.reading_end + s.publication_delay < now() - interval '36 hours'
                OR run.refused IS NOT NULL OR i.issue_id IS NULL OR i.origin < now() - interval '60 hours' OR firing.pages > 0 THEN 'alarm'
           WHEN i.tier <> 'champion' OR i.feed_at_fault IS NOT NULL OR gap.open_gaps > 0 OR bad.quarantined_7_days > 0
                OR firing.alerts > 0 THEN 'look'
           ELSE 'well'
       END AS worst
FROM fortnight.series AS s
LEFT JOIN LATERAL (
    SELECT r.interval_start + s.interval_length AS reading_end
    FROM fortnight.reading AS r WHERE r.series_key = s.series_key ORDER BY r.interval_start DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT f.*
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = 'daily' AND f.ready_at IS NOT NULL
    ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
    LIMIT 1
) AS i ON true
LEFT JOIN LATERAL (
    SELECT max(v.target_end) AS target_end FROM fortnight.forecast_value AS v WHERE v.issue_id = i.issue_id AND v.origin = i.origin
) AS last ON true
LEFT JOIN LATERAL (
    SELECT r.as_of, r.refused FROM fortnight.ingest_run AS r
    WHERE r.series_key = s.series_key AND r.kind = 'daily' ORDER BY r.as_of DESC, r.ingest_run_id DESC LIMIT 1
) AS run ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS open_gaps FROM fortnight.gap AS g
    WHERE g.series_key = s.series_key AND g.healed_by IS NULL AND g.gap_end > now() - interval '60 days'
) AS gap
CROSS JOIN LATERAL (
    SELECT count(*) AS quarantined_7_days
    FROM fortnight.quarantine AS q
    JOIN fortnight.ingest_run AS r USING (ingest_run_id)
    WHERE q.series_key = s.series_key AND q.released_by IS NULL AND r.as_of > now() - interval '7 days'
) AS bad
CROSS JOIN LATERAL (
    SELECT count(*) AS alerts, count(*) FILTER (WHERE a.severity = 'page') AS pages
    FROM fortnight.alert AS a
    WHERE (a.series_key = s.series_key OR a.series_key IS NULL) AND a.state IN ('firing', 'acknowledged')
) AS firing
WHERE s.quantity = 'demand';

-- ---------------------------------------------------------------------------------------------------------------- stable names
CREATE FUNCTION published.demand_as_of(t timestamptz)
RETURNS TABLE (series_id text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM published.demand_as_of_v1(demand_as_of.t); END;

CREATE FUNCTION published.weather_as_of(t timestamptz)
RETURNS TABLE (series_id text, quantity text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM published.weather_as_of_v1(weather_as_of.t); END;

CREATE FUNCTION published.demand_forecast_as_of(t timestamptz)
RETURNS TABLE (series_id text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM published.demand_forecast_as_of_v1(demand_forecast_as_of.t); END;

CREATE FUNCTION published.forecast_as_of(t timestamptz)
RETURNS TABLE (
    series_id text, resolution text, target_start timestamptz, target_end timestamptz, lead smallint, mean double precision,
    q10 double precision, q50 double precision, q90 double precision, unit text, issued_at timestamptz, origin timestamptz,
    model_name text, model_version integer, mlflow_run_id text, readings_as_of timestamptz, issue_id bigint, tier text, reason text,
    q01 double precision, q05 double precision, q30 double precision, q70 double precision, q95 double precision,
    q99 double precision, ready_at timestamptz, feed_at_fault text, age_days smallint, git_sha text, weather_issued_at timestamptz
)
LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM published.forecast_as_of_v1(forecast_as_of.t); END;

CREATE FUNCTION published.exceedance(series text, mw double precision)
RETURNS TABLE (
    series_id text, issue_id bigint, origin timestamptz, lead smallint, target_start timestamptz, target_end timestamptz,
    threshold_mw double precision, probability double precision, expected_hours double precision, paths integer, latest boolean
)
LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM published.exceedance_v1(exceedance.series, exceedance.mw); END;

-- ---------------------------------------------------------------------------------------------------------------- descriptions
COMMENT ON SCHEMA published IS
    'What consumers read: views and functions, nothing else. NAME_v1 never changes; NAME is its newest version. Times are UTC unless '
    'named local; energies in MWh, power in MW. A notification on channel forecast_ready is a hint to look, no news in itself: anybody '
    'who may connect can send one, since Postgres cannot forbid NOTIFY.';
COMMENT ON VIEW published.series_v1 IS 'The demand series, one row each.';
COMMENT ON VIEW published.demand_version_v1 IS
    'Every version of every demand reading. A correction is a version of its own; of an interval the newest is the one with the '
    'greatest known_at, then ingest_run_id. Filter on series_id and interval_start: both reach the primary key.';
COMMENT ON VIEW published.weather_version_v1 IS 'Every version of the air temperature beside each demand series, observed and forecast.';
COMMENT ON VIEW published.demand_forecast_version_v1 IS 'Every version of the grid operator''s own demand forecast, where a feed has one.';
COMMENT ON FUNCTION published.demand_as_of_v1(timestamptz) IS
    'Demand readings as they were known at t, one row an interval: value is the energy of the interval in unit, marked by the interval''s '
    'start (UTC). known_at is when this version became known. Simulated series have ids that begin with "simulated".';
COMMENT ON FUNCTION published.weather_as_of_v1(timestamptz) IS
    'Air temperature (C) beside each demand series as it was known at t: quantity temperature is observed, temperature_forecast is the '
    'newest forecast issued by then for that moment, and known_at its issue time. Marked by the interval''s start (UTC).';
COMMENT ON FUNCTION published.demand_forecast_as_of_v1(timestamptz) IS
    'The grid operator''s own demand forecast, a rival, as it was known at t: value is the energy of the interval in unit, marked by the '
    'interval''s start (UTC). known_at is when fortnight first saw it; at the latest the end of its interval.';
COMMENT ON VIEW published.corrections_v1 IS
    'Demand readings whose value changed after it was known, with the models that were trained on the old value and the forecasts that '
    'rest on it, through their inputs or their model.';
COMMENT ON VIEW published.issue_v1 IS 
    'Every forecast ever published, one row each; its values are in forecast. Older ones may keep some leads only.';
COMMENT ON VIEW published.forecast_v1 IS
    'Every forecast ever published, one row a target day of each issue. Of older issues only some leads may be kept.';
COMMENT ON VIEW published.forecast_latest_v1 IS
    'The newest forecast of each series, whole: one row a target day. Order by series_id, lead. Newest is the latest origin, then '
    'readings_as_of, then issue_id: a replay of the past does not replace it.';
COMMENT ON FUNCTION published.forecast_as_of_v1(timestamptz) IS
    'What forecast_latest would have shown at t, columns as there: of each series, of the issues with readings_as_of <= t, that of the newest origin. By '
    'readings_as_of and not by ready_at, since a replay of the past is made today with what was known then. Of an old issue only some '
    'leads may be kept.';
COMMENT ON VIEW published.forecast_vs_actual_v1 IS
    'Forecasts beside what happened, one row a target day of each issue, of days whose every interval was read. Errors are against the '
    'newest version of the readings. Rivals: weekly_naive is the day 7 * ceil(lead / 7) days before, the newest same weekday before the '
    'origin, as first seen, its mean power over the hours of the target; operator_forecast is the grid operator''s own forecast as '
    'known at the issue''s readings_as_of, where it had one for the whole day by then. Energies in unit, MWh.';
COMMENT ON VIEW published.accuracy_v1 IS
    'How good forecasts were: by series, local month of the target, lead, tier and model; all over n pairs of forecast and whole day. '
    'mase is mae over the mean absolute week-on-week change of daily energy in the 365 days before the month. skill_vs_weekly_naive is '
    '1 - pinball / (mean absolute error of weekly naive / 2), over the pairs that have both: half the absolute error is what a point '
    'scores as three equal quantiles; likewise skill_vs_operator. Above 0 is better than the rival, 1 perfect. Null where unknown.';
COMMENT ON VIEW published.daily_peak_v1 IS
    'Power of each target day''s highest interval, in MW, and when it most likely comes: one row a target day of each issue that says so.';
COMMENT ON VIEW published.path_v1 IS
    'Sample paths of the newest issues: equally likely courses of demand over the two weeks, one row an interval of each path. A path '
    'number means one course through all leads of an issue. Use it with series_id and issue_id, it is large.';
COMMENT ON FUNCTION published.exceedance_v1(text, double precision) IS
    'How likely power gets above mw (MW), for each target day of the series'' newest issue that keeps paths; no rows where none does. '
    'probability: that the highest interval''s mean power is above threshold_mw, the share of paths; expected_hours: hours above it on '
    'the average path; paths: how many there are; latest: false where a newer issue keeps no paths. Times in UTC.';
COMMENT ON VIEW published.driver_v1 IS
    'What makes a forecast what it is, in MW (MWh over the hours of the target): mean_mw = reference_mw + calendar_mw + weather_mw + '
    'level_mw, of every issue. weather_mw is null for models that know no weather, all are null in forecasts of old.';
COMMENT ON VIEW published.revision_v1 IS
    'How and why a forecast differs from the one before it for the same target, in MW (MWh over the hours of the target): change_mw = '
    'new_model_mw + new_weather_mw + new_readings_mw. One row a target of each issue that had one before it; parts are null where '
    'unknown, such as for targets that the issue before did not reach; new_weather_mw unless both models are of one family that '
    'knows weather, and then new_readings_mw holds it too.';
COMMENT ON VIEW published.alert_v1 IS 'Every alert ever, one row an episode of one rule in one series, or in all of them together.';
COMMENT ON VIEW published.status_v1 IS
    'How each demand series stands right now, one row each. worst is alarm: no or old readings (36 hours after they were due), a refused '
    'ingest, no or old forecast (60 hours after its origin), a page firing; look: a fallback forecast, a feed at fault, gaps, quarantine '
    'or any alert; else well.';

-- A word means the same wherever it stands; where it does not, the view is named.
CREATE TEMP TABLE word (view text, name text, meaning text) ON COMMIT DROP;
INSERT INTO word VALUES
    ('*', 'series_id', 'Which series; ids of simulated series begin with "simulated".'),
    ('*', 'resolution', 'Length of a target: daily is one local day of the series'' time zone.'),
    ('*', 'target_start', 'First moment of the target (UTC); local midnight for a day.'),
    ('*', 'target_end', 'End of the target (UTC), exclusive; 23 to 25 hours after target_start for a day.'),
    ('*', 'target_day', 'Local date of the target.'),
    ('*', 'lead', 'Which target after the origin: 1 is the first; 14 is the last, or a later one where the origin lies days back.'),
    ('*', 'mean', 'Expected energy over the target, in unit.'),
    ('*', 'q01', 'Energy that is exceeded with 99 % probability, in unit; null in forecasts of old.'),
    ('*', 'q05', 'Energy that is exceeded with 95 % probability, in unit; null in forecasts of old.'),
    ('*', 'q10', 'Energy that is exceeded with 90 % probability, in unit.'),
    ('*', 'q30', 'Energy that is exceeded with 70 % probability, in unit; null in forecasts of old.'),
    ('*', 'q50', 'Median energy, in unit: as likely exceeded as not.'),
    ('*', 'q70', 'Energy that is exceeded with 30 % probability, in unit; null in forecasts of old.'),
    ('*', 'q90', 'Energy that is exceeded with 10 % probability, in unit.'),
    ('*', 'q95', 'Energy that is exceeded with 5 % probability, in unit; null in forecasts of old.'),
    ('*', 'q99', 'Energy that is exceeded with 1 % probability, in unit; null in forecasts of old.'),
    ('*', 'unit', 'Unit of the energies of this row: MWh over the whole target.'),
    ('*', 'issue_id', 'Number of the forecast; one issue is one whole forecast of two weeks.'),
    ('*', 'issued_at', 'When this forecast was made, by the clock.'),
    ('*', 'ready_at', 'When this forecast had proved itself whole and became visible here, by the clock.'),
    ('*', 'origin', 'End of the last observed day that the forecast rests on (UTC).'),
    ('*', 'readings_as_of', 'Readings were used as they were known at this moment.'),
    ('*', 'weather_issued_at', 'Issue time of the newest weather forecast that was used; null where none was.'),
    ('*', 'leads', 'How many targets the issue had when it was published.'),
    ('*', 'tier', 'Who made it: champion, last_good (a champion of before), or weekly_naive.'),
    ('*', 'reason', 'What was wrong: why it is of no better tier, or in spite of what it was made; null where nothing was.'),
    ('*', 'feed_at_fault', 'What kept a better forecast away: demand, weather, registry or model; null where nothing did.'),
    ('*', 'age_days', 'Whole local days between the origin and the day it was made for, of which nothing was known; 0 on a good morning.'),
    ('*', 'model_name', 'Name of the model in the MLflow registry; null for weekly naive made on the spot.'),
    ('*', 'model_version', 'Version of the model in the MLflow registry; null for weekly naive made on the spot.'),
    ('*', 'family', 'Family of the model, such as weather_paths; null for weekly naive made on the spot.'),
    ('*', 'mlflow_run_id', 'MLflow run that trained this version; null for weekly naive made on the spot.'),
    ('*', 'git_sha', 'The code that made the forecast.'),
    ('*', 'previous_issue_id', 'The newest issue from earlier knowledge (readings_as_of) when this one was made; null for the first.'),
    ('*', 'latest', 'Whether this is the newest issue of its series, the one in forecast_latest.'),
    ('*', 'interval_start', 'Start of the interval (UTC).'),
    ('*', 'value', 'Energy of the interval, in unit.'),
    ('*', 'known_at', 'From when this version was known.'),
    ('*', 'ingest_run_id', 'The run that brought this version; of two known at the same moment the greater is the newer.'),
    ('*', 'quantity', 'What was measured: temperature is observed, temperature_forecast was forecast.'),
    ('demand_version_v1', 'unit', 'Unit of value: MWh over the interval.'),
    ('demand_forecast_version_v1', 'unit', 'Unit of value: MWh over the interval.'),
    ('demand_forecast_version_v1', 'value', 'Energy of the interval as the operator forecast it, in unit.'),
    ('demand_forecast_version_v1', 'known_at', 'When fortnight first saw this version; at the latest the end of its interval.'),
    ('weather_version_v1', 'value', 'Air temperature, in unit.'),
    ('weather_version_v1', 'unit', 'Unit of value: C, degrees Celsius.'),
    ('weather_version_v1', 'known_at', 'From when this version was known; of a forecast, its issue time.'),
    ('series_v1', 'name', 'What the series is, in words.'),
    ('series_v1', 'region', 'Where it is, for public holidays (ISO 3166).'),
    ('series_v1', 'time_zone', 'The zone whose days are forecast: target_start AT TIME ZONE time_zone is local.'),
    ('series_v1', 'unit', 'Unit of its readings: MWh over an interval.'),
    ('series_v1', 'interval_length', 'Length of an interval; power in MW is energy over its hours.'),
    ('series_v1', 'source', 'The feed that its readings come from.'),
    ('series_v1', 'simulated', 'Whether its readings are invented.'),
    ('corrections_v1', 'interval_start', 'Start of the interval whose reading changed (UTC).'),
    ('corrections_v1', 'old_value', 'Energy of the interval as it was known before, in unit.'),
    ('corrections_v1', 'new_value', 'Energy of the interval as it is known since, in unit.'),
    ('corrections_v1', 'unit', 'Unit of both values: MWh over the interval.'),
    ('corrections_v1', 'old_known_at', 'From when the old value was known.'),
    ('corrections_v1', 'known_at', 'From when the new value is known.'),
    ('corrections_v1', 'models', 'Model versions that were trained on the old value.'),
    ('corrections_v1', 'forecasts', 'Forecasts (issue_id) that rest on the old value.'),
    ('forecast_vs_actual_v1', 'actual_first', 'Energy of the target as first seen: the earliest version of every interval, in unit.'),
    ('forecast_vs_actual_v1', 'actual', 'Energy of the target as it is known now: the newest version of every interval, in unit.'),
    ('forecast_vs_actual_v1', 'error', 'Median less actual, in unit.'),
    ('forecast_vs_actual_v1', 'absolute_error', 'Size of error, in unit.'),
    ('forecast_vs_actual_v1', 'mean_error', 'Mean less actual, in unit.'),
    ('forecast_vs_actual_v1', 'pinball', 'Mean pinball loss of q10, q50 and q90, in unit.'),
    ('forecast_vs_actual_v1', 'inside_80', 'Whether the actual lies between q10 and q90.'),
    ('forecast_vs_actual_v1', 'inside_98', 'Whether the actual lies between q01 and q99; null without those.'),
    ('forecast_vs_actual_v1', 'weekly_naive', 'What the newest same weekday before the origin says of it, in unit; null if not whole.'),
    ('forecast_vs_actual_v1', 'operator_forecast', 'The grid operator''s own, as known at readings_as_of, in unit; null without one.'),
    ('accuracy_v1', 'month', 'First day of the local month of the targets.'),
    ('accuracy_v1', 'unit', 'Unit of mae, bias and pinball: MWh over the target.'),
    ('accuracy_v1', 'n', 'Number of forecasts with a whole actual day.'),
    ('accuracy_v1', 'mae', 'Mean absolute error of the median, in unit.'),
    ('accuracy_v1', 'mape_percent', 'Mean absolute error of the median as a share of the actual, in per cent; not of days without.'),
    ('accuracy_v1', 'mase', 'mae over the mean absolute week-on-week change of daily energy in the 365 days before the month.'),
    ('accuracy_v1', 'bias', 'Mean of the mean less actual, in unit: above 0 the forecasts were too high.'),
    ('accuracy_v1', 'pinball', 'Mean pinball loss of q10, q50 and q90, in unit.'),
    ('accuracy_v1', 'coverage_80', 'Share of actuals between q10 and q90, 0 to 1; 0.8 is right.'),
    ('accuracy_v1', 'coverage_98', 'Share of actuals between q01 and q99, 0 to 1; 0.98 is right.'),
    ('accuracy_v1', 'skill_vs_weekly_naive', '1 - pinball / (mean absolute error of weekly naive / 2), on the same pairs.'),
    ('accuracy_v1', 'skill_vs_operator', '1 - pinball / (mean absolute error of the operator''s forecast / 2), on the same pairs.'),
    ('daily_peak_v1', 'p10_mw', 'Mean power of the highest interval that is exceeded with 90 % probability, in MW.'),
    ('daily_peak_v1', 'p50_mw', 'Median of the mean power of the highest interval, in MW.'),
    ('daily_peak_v1', 'p90_mw', 'Mean power of the highest interval that is exceeded with 10 % probability, in MW.'),
    ('daily_peak_v1', 'peak_start', 'Start of the interval in which the peak most likely comes (UTC).'),
    ('daily_peak_v1', 'peak_start_local', 'The same on the clock of the series'' time zone.'),
    ('path_v1', 'path', 'Number of the path within its issue, from 1.'),
    ('path_v1', 'mwh', 'Energy of the interval on this path, in MWh.'),
    ('path_v1', 'mw', 'Mean power of the interval on this path, in MW.'),
    ('driver_v1', 'reference_mw', 'The usual day of the reference weeks, in MW.'),
    ('driver_v1', 'calendar_mw', 'What weekday, season and holidays add to it, in MW.'),
    ('driver_v1', 'weather_mw', 'What the expected weather adds, in MW; null for models that know no weather.'),
    ('driver_v1', 'level_mw', 'The rest: how much the present level lies above the reference, in MW.'),
    ('driver_v1', 'mean_mw', 'Expected power: mean over the hours of the target, in MW.'),
    ('revision_v1', 'mean_mw', 'Expected power now, in MW.'),
    ('revision_v1', 'mean_before_mw', 'Expected power by the issue before, in MW.'),
    ('revision_v1', 'change_mw', 'mean_mw less mean_before_mw, in MW.'),
    ('revision_v1', 'new_model_mw', 'Of the change: mean less what the model of the issue before says of the new inputs, in MW.'),
    ('revision_v1', 'new_weather_mw', 'Of the change: what weather adds now less what it added before, in MW.'),
    ('revision_v1', 'new_readings_mw', 'The rest of the change: readings that came since, in MW.'),
    ('alert_v1', 'alert_id', 'Number of the episode.'),
    ('alert_v1', 'series_id', 'Which series; null for all of them together.'),
    ('alert_v1', 'rule', 'What was broken.'),
    ('alert_v1', 'severity', 'page: somebody should look now; digest: with the next summary.'),
    ('alert_v1', 'state', 'pending, firing, acknowledged or resolved.'),
    ('alert_v1', 'since', 'Since when things are bad, by the time of the data.'),
    ('alert_v1', 'pending_as_of', 'When it was first noticed, by the time of the data.'),
    ('alert_v1', 'fired_as_of', 'When it began to fire, by the time of the data; null while pending.'),
    ('alert_v1', 'last_bad_as_of', 'When it was last bad, by the time of the data.'),
    ('alert_v1', 'resolved_as_of', 'When it was over, by the time of the data; null until then.'),
    ('alert_v1', 'resolved_at', 'When it was over, by the clock; null until then.'),
    ('alert_v1', 'message', 'What is wrong, in words.'),
    ('alert_v1', 'cause', 'What probably caused it; null where unknown.'),
    ('alert_v1', 'remedy', 'What to do; null where unknown.'),
    ('alert_v1', 'severity_score', 'How bad it is, in the rule''s own measure.'),
    ('alert_v1', 'mlflow_run_id', 'MLflow run that shows it; null where there is none.'),
    ('alert_v1', 'issue_id', 'The forecast that it is about; null where it is about none.'),
    ('alert_v1', 'inhibited_by', 'The rule that explains it and keeps it quiet; null where none does.'),
    ('alert_v1', 'acknowledged_at', 'When somebody took it on, by the clock.'),
    ('alert_v1', 'acknowledged_by', 'Who took it on.'),
    ('alert_v1', 'note', 'What they said of it.'),
    ('alert_v1', 'escalated_as_of', 'When it was told again more loudly, by the time of the data.'),
    ('status_v1', 'newest_reading_end', 'End of the newest interval that was read (UTC); null before the first.'),
    ('status_v1', 'reading_age', 'How long ago that is.'),
    ('status_v1', 'issue_id', 'The newest forecast; null before the first, as are the columns that tell of it.'),
    ('status_v1', 'last_target_end', 'Until when the newest forecast reaches (UTC).'),
    ('status_v1', 'last_ingest_as_of', 'When the last daily ingest ran; null before the first.'),
    ('status_v1', 'last_ingest_refused', 'Why the last daily ingest stored nothing; null where it went well.'),
    ('status_v1', 'open_gaps', 'Holes between readings of the last 60 days.'),
    ('status_v1', 'quarantined_7_days', 'Rows put into quarantine in the last 7 days and not replaced since.'),
    ('status_v1', 'alerts_firing', 'Alerts that fire or are acknowledged, of this series or of all together.'),
    ('status_v1', 'worst', 'well, look or alarm.');

DO $$
DECLARE
    v record;
    c record;
    stable text;
BEGIN
    FOR v IN SELECT oid, relname FROM pg_class WHERE relnamespace = 'published'::regnamespace AND relname LIKE '%\_v1' LOOP
        stable := left(v.relname, -3);
        EXECUTE format('CREATE VIEW published.%I AS SELECT * FROM published.%I', stable, v.relname);
        EXECUTE format('COMMENT ON VIEW published.%I IS %L', stable, obj_description(v.oid, 'pg_class'));
        FOR c IN
            SELECT DISTINCT ON (a.attnum) a.attname, w.meaning
            FROM pg_attribute AS a
            LEFT JOIN word AS w ON w.name = a.attname AND w.view IN ('*', v.relname)
            WHERE a.attrelid = v.oid AND a.attnum > 0
            ORDER BY a.attnum, w.view = '*'
        LOOP
            EXECUTE format('COMMENT ON COLUMN published.%I.%I IS %L', v.relname, c.attname, c.meaning);
            EXECUTE format('COMMENT ON COLUMN published.%I.%I IS %L', stable, c.attname, c.meaning);
        END LOOP;
    END LOOP;
    FOR v IN SELECT oid, proname, pg_get_function_identity_arguments(oid) AS arguments FROM pg_proc
             WHERE pronamespace = 'published'::regnamespace AND proname LIKE '%\_v1' LOOP
        EXECUTE format('COMMENT ON FUNCTION published.%I(%s) IS %L', left(v.proname, -3), v.arguments, obj_description(v.oid, 'pg_proc'));
    END LOOP;
END;
$$;
