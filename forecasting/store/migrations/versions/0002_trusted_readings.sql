ALTER TABLE fortnight.series
    DROP CONSTRAINT series_quantity_check,
    ADD CONSTRAINT series_quantity_check
        CHECK (quantity IN ('demand', 'temperature', 'holiday', 'demand_forecast', 'temperature_forecast'));

-- A run looked for the intervals that lie wholly between window_start and window_end, and found all but those in missing.
-- Readings are dated by as_of, unless the source itself says when each became known. A refused run stored nothing.
ALTER TABLE fortnight.ingest_run
    ADD COLUMN kind text NOT NULL DEFAULT 'daily' CHECK (kind IN ('daily', 'gap', 'backfill')),
    ADD COLUMN states_known_at boolean NOT NULL DEFAULT false,
    ADD COLUMN missing tstzmultirange NOT NULL DEFAULT '{}',
    ADD COLUMN refused text;
UPDATE fortnight.ingest_run AS i
SET window_end = greatest(i.window_start, i.as_of - s.publication_delay)
FROM fortnight.series AS s
WHERE s.series_key = i.series_key;

-- No foreign keys: checking two for each row took three quarters of the time of a large ingest. Readings are written by one
-- statement, in the transaction that makes their ingest_run, and neither runs nor series are ever deleted.
ALTER TABLE fortnight.reading
    DROP CONSTRAINT reading_series_key_fkey,
    DROP CONSTRAINT reading_ingest_run_id_fkey,
    DROP CONSTRAINT reading_pkey,
    ADD PRIMARY KEY (series_key, interval_start, known_at, ingest_run_id) INCLUDE (value);

ALTER TABLE fortnight.quarantine
    ADD COLUMN interval_start timestamptz,
    ADD COLUMN released_by bigint REFERENCES fortnight.ingest_run;
-- The same bad row, read again every day, is kept once, though the reason may tell other numbers by then.
DROP INDEX fortnight.quarantine_once;
DELETE FROM fortnight.quarantine AS q
USING fortnight.quarantine AS first
WHERE first.series_key = q.series_key AND first.raw = q.raw AND first.quarantine_id < q.quarantine_id;
CREATE UNIQUE INDEX quarantine_once ON fortnight.quarantine (series_key, md5(raw::text));
CREATE INDEX quarantine_open ON fortnight.quarantine (series_key, interval_start) WHERE released_by IS NULL;

-- Holes between readings, asked for again until they are healed.
CREATE TABLE fortnight.gap (
    gap_id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    gap_start           timestamptz NOT NULL,
    gap_end             timestamptz NOT NULL CHECK (gap_end > gap_start),
    found_by            bigint NOT NULL REFERENCES fortnight.ingest_run,
    last_asked_by       bigint NOT NULL REFERENCES fortnight.ingest_run,
    times_asked         integer NOT NULL DEFAULT 1,
    healed_by           bigint REFERENCES fortnight.ingest_run
);
CREATE UNIQUE INDEX gap_open ON fortnight.gap (series_key, gap_start, gap_end) WHERE healed_by IS NULL;

-- A reading whose value changed after it was known.
CREATE TABLE fortnight.correction (
    series_key          integer NOT NULL REFERENCES fortnight.series,
    interval_start      timestamptz NOT NULL,
    ingest_run_id       bigint NOT NULL,
    old_value           double precision NOT NULL,
    new_value           double precision NOT NULL,
    old_known_at        timestamptz NOT NULL,
    known_at            timestamptz NOT NULL,
    PRIMARY KEY (series_key, interval_start, known_at, ingest_run_id)
);

-- How far each backfill has come: the same command again goes on from there.
CREATE TABLE fortnight.backfill (
    series_id           text NOT NULL,
    backfill_start      timestamptz NOT NULL,
    backfill_end        timestamptz NOT NULL CHECK (backfill_end > backfill_start),
    done_until          timestamptz NOT NULL,
    PRIMARY KEY (series_id, backfill_start, backfill_end)
);

-- What a model was trained on, and what a forecast started from: null for those of before.
ALTER TABLE fortnight.model_version ADD COLUMN history_start timestamptz, ADD COLUMN history_end timestamptz;
ALTER TABLE fortnight.forecast_issue ADD COLUMN inputs_start timestamptz;

CREATE VIEW published.corrections AS
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
               JOIN fortnight.model_version AS m USING (model_version_key)
               WHERE i.series_key = c.series_key
                 AND (i.readings_as_of >= c.old_known_at AND i.readings_as_of < c.known_at
                      AND c.interval_start >= i.inputs_start AND c.interval_start < i.origin
                      OR m.as_of >= c.old_known_at AND m.as_of < c.known_at
                      AND c.interval_start >= m.history_start AND c.interval_start < m.history_end)
               ORDER BY i.issue_id
           ) AS forecasts
) AS used
WHERE s.quantity = 'demand';
COMMENT ON VIEW published.corrections IS
    'Demand readings whose value changed after it was known, with the models that were trained on the old value and the forecasts that '
    'rest on it, through their inputs or their model.';
COMMENT ON COLUMN published.corrections.series_id IS 'Which series; ids of simulated series begin with "simulated".';
COMMENT ON COLUMN published.corrections.interval_start IS 'Start of the interval whose reading changed (UTC).';
COMMENT ON COLUMN published.corrections.old_value IS 'Energy of the interval as it was known before, in unit.';
COMMENT ON COLUMN published.corrections.new_value IS 'Energy of the interval as it is known since, in unit.';
COMMENT ON COLUMN published.corrections.unit IS 'Unit of both values.';
COMMENT ON COLUMN published.corrections.old_known_at IS 'From when the old value was known.';
COMMENT ON COLUMN published.corrections.known_at IS 'From when the new value is known.';
COMMENT ON COLUMN published.corrections.models IS 'Model versions that were trained on the old value.';
COMMENT ON COLUMN published.corrections.forecasts IS 'Forecasts (issue_id) that rest on the old value.';

CREATE FUNCTION published.weather_as_of(t timestamptz)
RETURNS TABLE (series_id text, quantity text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.series_id, s.quantity, r.interval_start, r.value, s.unit, r.known_at
    FROM fortnight.series AS s
    JOIN fortnight.series AS d ON d.series_key = s.companion_of
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (v.interval_start) v.interval_start, v.value, v.known_at
        FROM fortnight.reading AS v
        WHERE v.series_key = s.series_key AND v.known_at <= weather_as_of.t
        ORDER BY v.interval_start, v.known_at DESC, v.ingest_run_id DESC
    ) AS r
    WHERE s.quantity IN ('temperature', 'temperature_forecast');
END;
COMMENT ON FUNCTION published.weather_as_of(timestamptz) IS
    'Air temperature beside each demand series as it was known at t: quantity temperature is observed, temperature_forecast is the '
    'newest forecast issued by then for that moment, and known_at its issue time. Marked by the interval''s start (UTC).';

CREATE FUNCTION published.demand_forecast_as_of(t timestamptz)
RETURNS TABLE (series_id text, interval_start timestamptz, value double precision, unit text, known_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.series_id, r.interval_start, r.value, s.unit, r.known_at
    FROM fortnight.series AS s
    JOIN fortnight.series AS d ON d.series_key = s.companion_of
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (v.interval_start) v.interval_start, v.value, v.known_at
        FROM fortnight.reading AS v
        WHERE v.series_key = s.series_key AND v.known_at <= demand_forecast_as_of.t
        ORDER BY v.interval_start, v.known_at DESC, v.ingest_run_id DESC
    ) AS r
    WHERE s.quantity = 'demand_forecast';
END;
COMMENT ON FUNCTION published.demand_forecast_as_of(timestamptz) IS
    'The grid operator''s own demand forecast, a rival, as it was known at t: energy of the interval in its unit, marked by the '
    'interval''s start (UTC). known_at is when fortnight first saw it; at the latest the end of its interval.';
