-- What a forecast rests on, by which tier it was made, and why not by a better one. An issue without a model is weekly naive,
-- fitted when it was made. The columns that verify needs are null in forecasts of before.
ALTER TABLE fortnight.forecast_issue
    DROP CONSTRAINT forecast_issue_series_key_resolution_origin_model_version_k_key,
    ALTER COLUMN model_version_key DROP NOT NULL,
    ADD COLUMN inputs_sha256 text,
    ADD COLUMN tier text NOT NULL DEFAULT 'champion' CHECK (tier IN ('champion', 'last_good', 'weekly_naive')),
    ADD COLUMN reason text,
    ADD COLUMN feed_at_fault text CHECK (feed_at_fault IN ('demand', 'weather', 'registry', 'model')),
    ADD COLUMN age_days smallint NOT NULL DEFAULT 0 CHECK (age_days >= 0),
    ADD COLUMN git_sha text NOT NULL DEFAULT 'unknown',
    ADD COLUMN recipe jsonb,
    ADD COLUMN weather_issued_at timestamptz,
    ADD COLUMN previous_issue_id bigint REFERENCES fortnight.forecast_issue,
    ADD COLUMN plausible_min_mwh double precision,
    ADD COLUMN plausible_max_mwh double precision,
    ADD COLUMN ready_at timestamptz,
    ADD CONSTRAINT only_naive_needs_no_model CHECK (model_version_key IS NOT NULL OR tier = 'weekly_naive'),
    ADD CONSTRAINT a_fallback_tells_why CHECK (tier = 'champion' OR reason IS NOT NULL);
UPDATE fortnight.forecast_issue
SET ready_at = issued_at,
    inputs_sha256 = encode(sha256(convert_to(format('%s %s %s', origin, model_version_key, history_sha256), 'UTF8')), 'hex');
ALTER TABLE fortnight.forecast_issue
    ALTER COLUMN inputs_sha256 SET NOT NULL,
    ADD CONSTRAINT issue_once_for_its_inputs UNIQUE (series_key, resolution, inputs_sha256);
CREATE INDEX forecast_issue_known ON fortnight.forecast_issue (series_key, resolution, readings_as_of DESC, issue_id DESC);

-- By month of the origin. Nine quantiles; the power of the daily peak and when it comes; and what moved the forecast, in MWh of the
-- target: the usual day of the reference weeks, what calendar and weather add to it (the rest is the level), and what the model of
-- the issue before says from the same inputs.
ALTER TABLE fortnight.forecast_value RENAME TO forecast_value_of_before;
ALTER TABLE fortnight.forecast_value_of_before RENAME CONSTRAINT forecast_value_pkey TO forecast_value_of_before_pkey;
CREATE TABLE fortnight.forecast_value (
    issue_id            bigint NOT NULL REFERENCES fortnight.forecast_issue,
    origin              timestamptz NOT NULL,
    lead                smallint NOT NULL CHECK (lead > 0),
    target_start        timestamptz NOT NULL,
    target_end          timestamptz NOT NULL CHECK (target_end > target_start),
    mean                double precision NOT NULL,
    q01                 double precision,
    q05                 double precision,
    q10                 double precision NOT NULL,
    q30                 double precision,
    q50                 double precision NOT NULL,
    q70                 double precision,
    q90                 double precision NOT NULL,
    q95                 double precision,
    q99                 double precision,
    peak_q10_mw         double precision,
    peak_q50_mw         double precision,
    peak_q90_mw         double precision,
    peak_start          timestamptz,
    reference_mwh       double precision,
    calendar_mwh        double precision,
    weather_mwh         double precision,
    previous_model_mwh  double precision,
    PRIMARY KEY (issue_id, lead, origin),
    CONSTRAINT forecast_is_finite CHECK (
        mean > '-infinity' AND mean < 'infinity' AND coalesce(q01, q10) > '-infinity' AND coalesce(q99, q90) < 'infinity'
    ),
    CONSTRAINT quantiles_ascend CHECK (
        q10 <= q50 AND q50 <= q90 AND q01 <= q05 AND q05 <= q10 AND q10 <= q30 AND q30 <= q50 AND q50 <= q70 AND q70 <= q90
        AND q90 <= q95 AND q95 <= q99
    ),
    CONSTRAINT peak_quantiles_ascend CHECK (
        peak_q10_mw > '-infinity' AND peak_q10_mw <= peak_q50_mw AND peak_q50_mw <= peak_q90_mw AND peak_q90_mw < 'infinity'
    ),
    CONSTRAINT peak_is_on_the_day CHECK (peak_start >= target_start AND peak_start < target_end)
) PARTITION BY RANGE (origin);

-- Coherent sample paths of the newest issues: one row a target day, values [paths, intervals of the day] in MWh an interval.
CREATE TABLE fortnight.forecast_path (
    issue_id            bigint NOT NULL REFERENCES fortnight.forecast_issue,
    lead                smallint NOT NULL CHECK (lead > 0),
    values_mwh          real[] NOT NULL CHECK (array_ndims(values_mwh) = 2),
    PRIMARY KEY (issue_id, lead)
);
ALTER TABLE fortnight.forecast_path ALTER COLUMN values_mwh SET COMPRESSION pglz;

-- What the same family, as it was fitted some weeks before, says of the first days: the yardstick that shares the weather's
-- surprises, by which a model that got worse is told from a hard week.
CREATE TABLE fortnight.predecessor_value (
    issue_id            bigint NOT NULL REFERENCES fortnight.forecast_issue,
    lead                smallint NOT NULL CHECK (lead > 0),
    model_version_key   bigint NOT NULL REFERENCES fortnight.model_version,
    q10                 double precision NOT NULL,
    q50                 double precision NOT NULL,
    q90                 double precision NOT NULL,
    PRIMARY KEY (issue_id, lead)
);

-- The partition of a month, made by whoever first needs it. Attached, not created in place: readers go on meanwhile.
CREATE TABLE fortnight.forecast_month (month date PRIMARY KEY);
CREATE FUNCTION fortnight.ensure_month(origin timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    first date := date_trunc('month', ensure_month.origin AT TIME ZONE 'UTC')::date;
    name text := 'forecast_value_' || to_char(first, 'YYYY_MM');
BEGIN
    IF EXISTS (SELECT FROM fortnight.forecast_month WHERE month = first) THEN
        RETURN;
    END IF;
    INSERT INTO fortnight.forecast_month (month) VALUES (first) ON CONFLICT DO NOTHING;  -- waits for whoever is making it
    IF NOT FOUND THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE fortnight.%I (LIKE fortnight.forecast_value INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE fortnight.%I SET (autovacuum_analyze_scale_factor = 0.02)', name);
    EXECUTE format(
        'ALTER TABLE fortnight.forecast_value ATTACH PARTITION fortnight.%I FOR VALUES FROM (%L) TO (%L)',
        name, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month')::timestamp AT TIME ZONE 'UTC'
    );
END;
$$;
DO $$
BEGIN
    PERFORM fortnight.ensure_month(origin)
    FROM (SELECT DISTINCT date_trunc('month', origin, 'UTC') AS origin FROM fortnight.forecast_issue) AS months;
END;
$$;
INSERT INTO fortnight.forecast_value (issue_id, origin, lead, target_start, target_end, mean, q10, q50, q90)
SELECT v.issue_id, i.origin, v.lead, v.target_start, v.target_end, v.mean, v.q10, v.q50, v.q90
FROM fortnight.forecast_value_of_before AS v
JOIN fortnight.forecast_issue AS i USING (issue_id);

DROP VIEW published.forecast_latest;
DROP TABLE fortnight.forecast_value_of_before;

-- The only way to be seen: an issue proves that it is whole, and readers are told.
CREATE FUNCTION fortnight.make_ready(issue bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    i fortnight.forecast_issue;
    s fortnight.series;
    wrong text;
BEGIN
    SELECT * INTO STRICT i FROM fortnight.forecast_issue WHERE issue_id = make_ready.issue;
    SELECT * INTO STRICT s FROM fortnight.series WHERE series_key = i.series_key;
    SELECT CASE
        WHEN count(v.lead) <> i.leads OR min(v.lead) <> 1 OR max(v.lead) <> i.leads THEN format('%s of %s leads', count(v.lead), i.leads)
        WHEN min(v.target_start) <> i.origin THEN 'the first target does not begin at the origin'
        WHEN bool_or(v.target_start IS DISTINCT FROM v.begins) THEN 'targets do not follow one another'
        WHEN bool_or((v.target_end AT TIME ZONE s.time_zone)::date - (v.target_start AT TIME ZONE s.time_zone)::date <> 1
            OR (v.target_start AT TIME ZONE s.time_zone)::date = ((v.target_start - interval '1 us') AT TIME ZONE s.time_zone)::date)
            THEN format('a target is no local day of %s', s.time_zone)
        WHEN bool_or(num_nulls(v.q01, v.q05, v.q30, v.q70, v.q95, v.q99, v.peak_q10_mw, v.peak_q50_mw, v.peak_q90_mw, v.peak_start,
            v.reference_mwh, v.calendar_mwh) > 0) THEN 'a value is missing'
        WHEN i.plausible_min_mwh IS NULL OR i.plausible_max_mwh IS NULL THEN 'it does not say what would be plausible'
        WHEN min(v.q10) < i.plausible_min_mwh THEN format(
            'implausible: %s MWh on one day, below %s', round(min(v.q10)::numeric), round(i.plausible_min_mwh::numeric))
        WHEN max(v.q90) > i.plausible_max_mwh THEN format(
            'implausible: %s MWh on one day, above %s', round(max(v.q90)::numeric), round(i.plausible_max_mwh::numeric))
        WHEN max(v.mean) > i.plausible_max_mwh OR min(v.mean) < i.plausible_min_mwh THEN 'implausible: a mean out of bounds'
    END INTO wrong
    FROM (
        SELECT f.*, coalesce(lag(f.target_end) OVER (ORDER BY f.lead), i.origin) AS begins
        FROM fortnight.forecast_value AS f
        WHERE f.issue_id = i.issue_id AND f.origin = i.origin
    ) AS v;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = wrong, CONSTRAINT = 'issue_is_whole';
    END IF;
    UPDATE fortnight.forecast_issue SET ready_at = clock_timestamp() WHERE issue_id = i.issue_id;
    PERFORM pg_notify('forecast_ready', json_build_object('series_id', s.series_id, 'issue_id', i.issue_id, 'tier', i.tier,
        'origin', to_char(i.origin AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text);
END;
$$;

CREATE FUNCTION fortnight.require_ready() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    IF EXISTS (SELECT FROM fortnight.forecast_issue WHERE issue_id = NEW.issue_id AND ready_at IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'issue_is_ready', MESSAGE = 'an issue must be made ready';
    END IF;
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER issue_is_ready AFTER INSERT ON fortnight.forecast_issue
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fortnight.require_ready();

CREATE FUNCTION fortnight.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = format('%s on %s: published forecasts never change', TG_OP, TG_TABLE_NAME);
END;
$$;
CREATE TRIGGER issues_never_change BEFORE UPDATE ON fortnight.forecast_issue
    FOR EACH ROW WHEN (OLD.ready_at IS NOT NULL) EXECUTE FUNCTION fortnight.refuse_change();
CREATE TRIGGER issues_are_never_deleted BEFORE DELETE ON fortnight.forecast_issue
    FOR EACH STATEMENT EXECUTE FUNCTION fortnight.refuse_change();
CREATE TRIGGER values_never_change BEFORE UPDATE ON fortnight.forecast_value
    FOR EACH STATEMENT EXECUTE FUNCTION fortnight.refuse_change();

-- Files of the champions, so that forecasts go on while MLflow is down: the newest few of each series, checked like any other.
CREATE TABLE fortnight.model_file (
    model_version_key   bigint PRIMARY KEY REFERENCES fortnight.model_version,
    weights             bytea NOT NULL,
    card                bytea NOT NULL,
    kept_at             timestamptz NOT NULL DEFAULT now()
);

-- One row an episode of one rule in one scope: a series, or all of them together (series_key null). Times named _as_of are those of
-- the data, so that a replayed past has its own; the others are of the clock.
ALTER TABLE fortnight.alert RENAME COLUMN opened_as_of TO pending_as_of;
ALTER TABLE fortnight.alert
    ALTER COLUMN series_key DROP NOT NULL,
    ADD COLUMN severity text NOT NULL DEFAULT 'page' CHECK (severity IN ('page', 'digest')),
    ADD COLUMN state text NOT NULL DEFAULT 'firing' CHECK (state IN ('pending', 'firing', 'acknowledged', 'resolved')),
    ADD COLUMN since timestamptz,
    ADD COLUMN fired_as_of timestamptz,
    ADD COLUMN last_bad_as_of timestamptz,
    ADD COLUMN times_bad integer NOT NULL DEFAULT 1,
    ADD COLUMN times_good integer NOT NULL DEFAULT 0,
    ADD COLUMN severity_score double precision,
    ADD COLUMN cause text,
    ADD COLUMN remedy text,
    ADD COLUMN mlflow_run_id text,
    ADD COLUMN picture text,
    ADD COLUMN issue_id bigint REFERENCES fortnight.forecast_issue,
    ADD COLUMN inhibited_by text,
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text,
    ADD COLUMN note text,
    ADD COLUMN escalated_as_of timestamptz;
UPDATE fortnight.alert
SET since = pending_as_of, fired_as_of = pending_as_of, last_bad_as_of = coalesce(resolved_as_of, pending_as_of),
    state = CASE WHEN resolved_at IS NULL THEN 'firing' ELSE 'resolved' END;
ALTER TABLE fortnight.alert
    ALTER COLUMN state SET DEFAULT 'pending',
    ALTER COLUMN since SET NOT NULL,
    ALTER COLUMN last_bad_as_of SET NOT NULL,
    ADD CONSTRAINT resolved_has_a_time CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    ADD CONSTRAINT acknowledged_has_a_name CHECK (state <> 'acknowledged' OR acknowledged_by IS NOT NULL);
DROP INDEX fortnight.alert_one_open;
CREATE UNIQUE INDEX alert_one_open ON fortnight.alert (series_key, rule) NULLS NOT DISTINCT WHERE state <> 'resolved';

CREATE TABLE fortnight.silence (
    silence_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer REFERENCES fortnight.series,
    rule                text,
    starts_at           timestamptz NOT NULL,
    ends_at             timestamptz NOT NULL CHECK (ends_at > starts_at),
    reason              text NOT NULL,
    made_by             text NOT NULL
);

-- The outbox: written with the state that it tells of, sent afterwards, tried again until it is sent or given up.
CREATE TABLE fortnight.notification (
    notification_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel             text NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('firing', 'resolved', 'escalated', 'digest', 'test')),
    subject             text NOT NULL,
    body                text NOT NULL,
    picture             text,
    alert_ids           bigint[] NOT NULL,
    as_of               timestamptz NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    due_at              timestamptz NOT NULL,
    attempts            integer NOT NULL DEFAULT 0,
    last_error          text,
    sent_at             timestamptz,
    given_up_at         timestamptz
);
CREATE INDEX notification_open ON fortnight.notification (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL;

-- What an alert led to, and how that went.
CREATE TABLE fortnight.drift_action (
    drift_action_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id            bigint NOT NULL REFERENCES fortnight.alert,
    action              text NOT NULL CHECK (action IN ('alert', 'retrain', 'rollback')),
    as_of               timestamptz NOT NULL,
    begun_at            timestamptz NOT NULL DEFAULT now(),
    outcome             text,
    ended_at            timestamptz,
    UNIQUE (alert_id, action)
);

-- Issues that somebody needs whole, beside those that the service needs itself: compaction leaves them alone.
CREATE TABLE fortnight.issue_hold (
    issue_id            bigint PRIMARY KEY REFERENCES fortnight.forecast_issue,
    reason              text NOT NULL,
    made_by             text NOT NULL,
    made_at             timestamptz NOT NULL DEFAULT now()
);
