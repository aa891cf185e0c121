-- Every model that a retrain fitted is a version; one of them, the contender, stood against the champion.
ALTER TABLE fortnight.model_version
    DROP CONSTRAINT model_version_retrain_key_key,
    DROP CONSTRAINT model_version_resolution_check,
    ADD CONSTRAINT model_version_resolution_check CHECK (resolution IN ('daily', 'interval')),
    ADD COLUMN contender boolean NOT NULL DEFAULT true,
    ADD COLUMN information text NOT NULL DEFAULT 'U' CHECK (information IN ('U', 'P', 'F', 'W')),
    ADD UNIQUE (retrain_key, family);
CREATE UNIQUE INDEX model_version_one_contender ON fortnight.model_version (retrain_key) WHERE contender;

ALTER TABLE fortnight.validation_score DROP CONSTRAINT validation_score_forecaster_check;

-- One row each time a version became champion: elected after a retrain, or moved there by hand.
CREATE TABLE fortnight.promotion (
    promotion_key       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key          integer NOT NULL REFERENCES fortnight.series,
    resolution          text NOT NULL CHECK (resolution IN ('daily', 'interval')),
    model_version_key   bigint NOT NULL REFERENCES fortnight.model_version,
    kind                text NOT NULL CHECK (kind IN ('elected', 'by hand', 'rollback')),
    as_of               timestamptz NOT NULL,
    reason              text NOT NULL,
    promoted_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX promotion_latest ON fortnight.promotion (series_key, resolution, as_of DESC, promotion_key DESC);
CREATE UNIQUE INDEX promotion_elected_once ON fortnight.promotion (model_version_key) WHERE kind = 'elected';
INSERT INTO fortnight.promotion (series_key, resolution, model_version_key, kind, as_of, reason, promoted_at)
SELECT series_key, resolution, model_version_key, 'elected', as_of, reason, registered_at
FROM fortnight.model_version
WHERE promoted
ORDER BY model_version_key;
ALTER TABLE fortnight.model_version DROP COLUMN promoted;
