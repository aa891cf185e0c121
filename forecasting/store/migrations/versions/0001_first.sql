-- Private tables; consumers never see this schema.
CREATE SCHEMA fortnight;
-- The only schema that consumers see: views and functions, every column described.
CREATE SCHEMA published;
REVOKE ALL ON SCHEMA fortnight, published FROM PUBLIC;

CREATE TABLE fortnight.series (
    series_key          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_id           text NOT NULL UNIQUE CHECK (series_id ~ '^[a-z0-9][a-z0-9_.-]*$'),
    name                text NOT NULL,
    region              text NOT NULL,
    time_zone           text NOT NULL,
    quantity            text NOT NULL CHECK (quantity IN ('demand', 'temperature', 'holiday')),
    unit                text NOT NULL,
    interval_length     interval NOT NULL CHECK (interval_length > interval '0'),
    publication_delay   interval NOT NULL CHECK (publication_delay >= interval '0'),
    source              text NOT NULL,
    simulated           boolean NOT NULL,
    companion_of        integer REFERENCES fortnight.series,
    CONSTRAINT simulated_series_say_so CHECK (simulated = (series_id LIKE 'simulated%')),
    CONSTRAINT only_demand_stands_alone CHECK ((quantity = 'demand') = (companion_of IS NULL))
);

-- One row a demand series: whoever holds it works on the series. A private row, so that readers cannot take it.
CREATE TABLE fortnight.series_lock (
    series_id           text PRIMARY KEY
);

CREATE TABLE fortnight.ingest_run (
    ingest_run_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    source              text NOT NULL,
    as_of               timestamptz NOT NULL,
    window_start        timestamptz NOT NULL,
    window_end          timestamptz NOT NULL CHECK (window_end >= window_start),
    rows_read           bigint NOT NULL,
    rows_new            bigint NOT NULL,
    rows_corrected      bigint NOT NULL,
    rows_quarantined    bigint NOT NULL,
    finished_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ingest_run_series ON fortnight.ingest_run (series_key, as_of);

-- Every version of every reading. Rows are added, never changed: what was known at any moment stays askable.
CREATE TABLE fortnight.reading (
    series_key          integer NOT NULL REFERENCES fortnight.series,
    interval_start      timestamptz NOT NULL,
    known_at            timestamptz NOT NULL,
    ingest_run_id       bigint NOT NULL REFERENCES fortnight.ingest_run,
    value               double precision NOT NULL CHECK (value > '-infinity' AND value < 'infinity'),
    PRIMARY KEY (series_key, interval_start, known_at, ingest_run_id)
);

CREATE TABLE fortnight.quarantine (
    quarantine_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ingest_run_id       bigint NOT NULL REFERENCES fortnight.ingest_run,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    reason              text NOT NULL,
    raw                 jsonb NOT NULL
);
-- The same bad row, read again every day, is kept once. A digest, since a raw row may be longer than an index entry.
CREATE UNIQUE INDEX quarantine_once ON fortnight.quarantine (series_key, reason, md5(raw::text));

-- One row a retrain: the version it registered in MLflow, its digests, and what the election decided.
CREATE TABLE fortnight.model_version (
    model_version_key   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    resolution          text NOT NULL CHECK (resolution IN ('daily')),
    retrain_key         text NOT NULL UNIQUE,
    as_of               timestamptz NOT NULL,
    model_name          text NOT NULL,
    version             integer NOT NULL CHECK (version > 0),
    family              text NOT NULL,
    mlflow_run_id       text NOT NULL,
    weights_sha256      text NOT NULL CHECK (weights_sha256 ~ '^[0-9a-f]{64}$'),
    card_sha256         text NOT NULL CHECK (card_sha256 ~ '^[0-9a-f]{64}$'),
    history_sha256      text NOT NULL,
    git_sha             text NOT NULL,
    promoted            boolean NOT NULL,
    reason              text NOT NULL,
    alias_settled_at    timestamptz,
    registered_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_name, version)
);
CREATE INDEX model_version_series ON fortnight.model_version (series_key, resolution, as_of);

-- Validation losses of each retrain: candidate, champion and weekly naive on the same windows.
CREATE TABLE fortnight.validation_score (
    model_version_key   bigint NOT NULL REFERENCES fortnight.model_version,
    forecaster          text NOT NULL CHECK (forecaster IN ('candidate', 'champion', 'weekly_naive')),
    version             integer,
    first_target        date NOT NULL,
    last_target         date NOT NULL CHECK (last_target >= first_target),
    windows             integer NOT NULL CHECK (windows > 0),
    pinball_mwh         double precision NOT NULL CHECK (pinball_mwh >= 0 AND pinball_mwh < 'infinity'),
    newest_week_pinball_mwh double precision NOT NULL
                        CHECK (newest_week_pinball_mwh >= 0 AND newest_week_pinball_mwh < 'infinity'),
    mape_percent        double precision CHECK (mape_percent >= 0 AND mape_percent < 'infinity'),
    mase                double precision CHECK (mase >= 0 AND mase < 'infinity'),
    coverage_80         double precision NOT NULL CHECK (coverage_80 BETWEEN 0 AND 1),
    PRIMARY KEY (model_version_key, forecaster)
);

-- One row a published forecast. Issues never change; the same inputs never make a second one.
CREATE TABLE fortnight.forecast_issue (
    issue_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    resolution          text NOT NULL CHECK (resolution IN ('daily')),
    origin              timestamptz NOT NULL,
    readings_as_of      timestamptz NOT NULL CHECK (readings_as_of >= origin),
    issued_at           timestamptz NOT NULL DEFAULT now(),
    model_version_key   bigint NOT NULL REFERENCES fortnight.model_version,
    history_sha256      text NOT NULL,
    unit                text NOT NULL,
    leads               smallint NOT NULL CHECK (leads > 0),
    UNIQUE (series_key, resolution, origin, model_version_key, history_sha256)
);
CREATE INDEX forecast_issue_latest
    ON fortnight.forecast_issue (series_key, resolution, origin DESC, readings_as_of DESC, issue_id DESC);

CREATE TABLE fortnight.forecast_value (
    issue_id            bigint NOT NULL REFERENCES fortnight.forecast_issue,
    lead                smallint NOT NULL CHECK (lead > 0),
    target_start        timestamptz NOT NULL,
    target_end          timestamptz NOT NULL CHECK (target_end > target_start),
    mean                double precision NOT NULL,
    q10                 double precision NOT NULL,
    q50                 double precision NOT NULL,
    q90                 double precision NOT NULL,
    PRIMARY KEY (issue_id, lead),
    CONSTRAINT forecast_is_finite CHECK (mean > '-infinity' AND mean < 'infinity' AND q10 > '-infinity' AND q90 < 'infinity'),
    CONSTRAINT quantiles_ascend CHECK (q10 <= q50 AND q50 <= q90)
);

-- One row an episode: opened once, resolved once.
CREATE TABLE fortnight.alert (
    alert_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    rule                text NOT NULL,
    opened_as_of        timestamptz NOT NULL,
    opened_at           timestamptz NOT NULL DEFAULT now(),
    message             text NOT NULL,
    resolved_as_of      timestamptz CHECK (resolved_as_of >= opened_as_of),
    resolved_at         timestamptz,
    CHECK ((resolved_as_of IS NULL) = (resolved_at IS NULL))
);
CREATE UNIQUE INDEX alert_one_open ON fortnight.alert (series_key, rule) WHERE resolved_at IS NULL;

CREATE FUNCTION published.demand_as_of(t timestamptz)
RETURNS TABLE (series_id text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.series_id, r.interval_start, r.value, s.unit, r.known_at
    FROM fortnight.series AS s
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (v.interval_start) v.interval_start, v.value, v.known_at
        FROM fortnight.reading AS v
        WHERE v.series_key = s.series_key AND v.known_at <= demand_as_of.t
        ORDER BY v.interval_start, v.known_at DESC, v.ingest_run_id DESC
    ) AS r
    WHERE s.quantity = 'demand';
END;
COMMENT ON FUNCTION published.demand_as_of(timestamptz) IS
    'Demand readings as they were known at t, one row an interval: energy of the interval in its unit, marked by the interval''s start '
    '(UTC). known_at is when this version became known. Simulated series have ids that begin with "simulated".';

CREATE VIEW published.forecast_latest AS
SELECT s.series_id, i.resolution, v.target_start, v.target_end, v.lead, v.mean, v.q10, v.q50, v.q90, i.unit, i.issued_at, i.origin,
       m.model_name, m.version AS model_version, m.mlflow_run_id, i.readings_as_of
FROM fortnight.series AS s
CROSS JOIN (VALUES ('daily')) AS r (resolution)
CROSS JOIN LATERAL (
    SELECT *
    FROM fortnight.forecast_issue AS f
    WHERE f.series_key = s.series_key AND f.resolution = r.resolution
    ORDER BY f.origin DESC, f.readings_as_of DESC, f.issue_id DESC
    LIMIT 1
) AS i
JOIN fortnight.forecast_value AS v USING (issue_id)
JOIN fortnight.model_version AS m USING (model_version_key);
COMMENT ON VIEW published.forecast_latest IS
    'The newest forecast of each series, whole: one row a target day. Order by series_id, lead.';
COMMENT ON COLUMN published.forecast_latest.series_id IS 'Which series; ids of simulated series begin with "simulated".';
COMMENT ON COLUMN published.forecast_latest.resolution IS 'Length of a target: daily is one local day of the series'' time zone.';
COMMENT ON COLUMN published.forecast_latest.target_start IS 'First moment of the target (UTC); local midnight for a day.';
COMMENT ON COLUMN published.forecast_latest.target_end IS 'End of the target (UTC), exclusive; 23 to 25 hours after target_start for a day.';
COMMENT ON COLUMN published.forecast_latest.lead IS 'Which target after the origin: 1 is the first, 14 the last of two weeks.';
COMMENT ON COLUMN published.forecast_latest.mean IS 'Expected energy over the target, in unit.';
COMMENT ON COLUMN published.forecast_latest.q10 IS 'Energy that is exceeded with 90 % probability, in unit.';
COMMENT ON COLUMN published.forecast_latest.q50 IS 'Median energy, in unit: as likely exceeded as not.';
COMMENT ON COLUMN published.forecast_latest.q90 IS 'Energy that is exceeded with 10 % probability, in unit.';
COMMENT ON COLUMN published.forecast_latest.unit IS 'Unit of mean and quantiles: MWh over the whole target.';
COMMENT ON COLUMN published.forecast_latest.issued_at IS 'When this forecast became visible here.';
COMMENT ON COLUMN published.forecast_latest.origin IS 'End of the last observed day that the forecast rests on (UTC).';
COMMENT ON COLUMN published.forecast_latest.model_name IS 'Name of the model in the MLflow registry.';
COMMENT ON COLUMN published.forecast_latest.model_version IS 'Version of the model in the MLflow registry.';
COMMENT ON COLUMN published.forecast_latest.mlflow_run_id IS 'MLflow run that trained this version.';
COMMENT ON COLUMN published.forecast_latest.readings_as_of IS 'Readings were used as they were known at this moment.';
