-- Where a delivery waits until it is merged: it vanishes with the session, so a killed run leaves nothing.
CREATE TEMP TABLE staged_reading (
    series_key integer NOT NULL, interval_start timestamptz NOT NULL, value float8 NOT NULL, known_at timestamptz
);
CREATE TEMP TABLE staged_rejected (series_key integer NOT NULL, reason text NOT NULL, raw text NOT NULL, interval_start timestamptz);
