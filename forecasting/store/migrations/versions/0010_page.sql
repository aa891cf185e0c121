-- Additions to the contract with consumers; see 0005_published.sql.
CREATE VIEW published.champion_v1 AS
SELECT s.series_id, p.resolution, m.model_name, m.version AS model_version, m.family, m.mlflow_run_id, p.kind, p.as_of,
       lead(p.as_of) OVER reign AS until_as_of, p.reason, p.promoted_at, lead(p.as_of) OVER reign IS NULL AS present
FROM fortnight.promotion AS p
JOIN fortnight.series AS s USING (series_key)
JOIN fortnight.model_version AS m USING (model_version_key)
WINDOW reign AS (PARTITION BY s.series_id, p.resolution ORDER BY p.as_of, p.promotion_key);

CREATE VIEW published.retrain_v1 AS
SELECT s.series_id, m.resolution, m.as_of, m.model_name, CASE WHEN e.elected THEN m.version ELSE chosen.version END AS model_version,
       e.elected, chosen.first_target AS first_day, chosen.last_target AS last_day, s.unit, chosen.pinball_mwh AS pinball,
       naive.pinball_mwh AS weekly_naive_pinball, chosen.newest_week_pinball_mwh AS newest_week_pinball,
       naive.newest_week_pinball_mwh AS newest_week_weekly_naive_pinball,
       1 - chosen.pinball_mwh / nullif(naive.pinball_mwh, 0) AS skill_vs_weekly_naive, chosen.mape_percent, chosen.mase,
       chosen.coverage_80
FROM fortnight.series AS s
JOIN fortnight.model_version AS m USING (series_key)
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM fortnight.promotion AS p WHERE p.model_version_key = m.model_version_key AND p.kind = 'elected'
    ) AS elected
) AS e
JOIN fortnight.validation_score AS chosen
    ON chosen.model_version_key = m.model_version_key
   AND chosen.forecaster = CASE WHEN e.elected THEN 'candidate' ELSE 'champion' END
JOIN fortnight.validation_score AS naive
    ON naive.model_version_key = m.model_version_key AND naive.forecaster = 'weekly_naive';

CREATE VIEW published.predecessor_v1 AS
SELECT s.series_id, i.resolution, i.issue_id, b.lead, i.origin, m.model_name, m.version AS model_version, m.family, m.mlflow_run_id,
       i.unit, b.q10, b.q50, b.q90
FROM fortnight.series AS s
JOIN fortnight.forecast_issue AS i ON i.series_key = s.series_key AND i.ready_at IS NOT NULL
JOIN fortnight.predecessor_value AS b USING (issue_id)
JOIN fortnight.model_version AS m ON m.model_version_key = b.model_version_key;

COMMENT ON VIEW published.champion_v1 IS
    'Who was champion when: one row each time a model version came into charge of a series.';
COMMENT ON VIEW published.retrain_v1 IS
    'Every retrain, one row each: how the version that was in charge after it did on the days held out, beside weekly naive.';
COMMENT ON VIEW published.predecessor_v1 IS
    'What the predecessor said, the same family as it was fitted some weeks before: one row a lead of each issue that had one. The loss '
    'of a forecast as a ratio to that of its predecessor shows within days that the model in charge got worse.';

CREATE TEMP TABLE added (view text, name text, meaning text) ON COMMIT DROP;
INSERT INTO added VALUES
    ('champion_v1', 'resolution', 'Length of the targets of its forecasts: daily is one local day of the series'' time zone.'),
    ('champion_v1', 'kind', 'How it came into charge: elected after a retrain, by hand, or rollback.'),
    ('champion_v1', 'as_of', 'Since when, by the time of the data.'),
    ('champion_v1', 'until_as_of', 'Until when, by the time of the data; null for the present champion.'),
    ('champion_v1', 'reason', 'Why, in words.'),
    ('champion_v1', 'promoted_at', 'When it came into charge, by the clock.'),
    ('champion_v1', 'present', 'Whether it is the last one that came into charge.'),
    ('retrain_v1', 'resolution', 'Length of the targets: daily is one local day of the series'' time zone.'),
    ('retrain_v1', 'as_of', 'Readings were used as they were known at this moment.'),
    ('retrain_v1', 'model_version', 'Version in charge after it, in the MLflow registry.'),
    ('retrain_v1', 'elected', 'Whether the version was fitted in this retrain and elected; false where the champion stayed.'),
    ('retrain_v1', 'first_day', 'First local date of the days held out.'),
    ('retrain_v1', 'last_day', 'Last local date of the days held out.'),
    ('retrain_v1', 'unit', 'Unit of the losses: MWh over a target.'),
    ('retrain_v1', 'pinball', 'Mean pinball loss of q10, q50 and q90 over the days held out, in unit.'),
    ('retrain_v1', 'weekly_naive_pinball', 'The same of weekly naive, in unit.'),
    ('retrain_v1', 'newest_week_pinball', 'Mean pinball loss over the newest week of them, in unit.'),
    ('retrain_v1', 'newest_week_weekly_naive_pinball', 'The same of weekly naive, in unit.'),
    ('retrain_v1', 'skill_vs_weekly_naive', '1 - pinball / weekly_naive_pinball: above 0 is better, 1 perfect.'),
    ('retrain_v1', 'mape_percent', 'Mean absolute error of the median as a share of the actual, in per cent.'),
    ('retrain_v1', 'mase', 'mae over the mean absolute week-on-week change of daily energy.'),
    ('predecessor_v1', 'model_version', 'Version of the predecessor in the MLflow registry.'),
    ('predecessor_v1', 'family', 'Family of the predecessor, such as weather_paths.'),
    ('predecessor_v1', 'mlflow_run_id', 'MLflow run that trained the predecessor.');

-- Words that mean the same as in the views of before are described as there.
DO $$
DECLARE
    v record;
    c record;
BEGIN
    FOR v IN
        SELECT oid, relname, left(relname, -3) AS stable FROM pg_class
        WHERE relnamespace = 'published'::regnamespace AND relname IN ('champion_v1', 'retrain_v1', 'predecessor_v1')
    LOOP
        EXECUTE format('CREATE VIEW published.%I AS SELECT * FROM published.%I', v.stable, v.relname);
        EXECUTE format('COMMENT ON VIEW published.%I IS %L', v.stable, obj_description(v.oid, 'pg_class'));
        FOR c IN
            SELECT a.attname, coalesce(w.meaning, (
                       SELECT col_description(e.attrelid, e.attnum) FROM pg_attribute AS e
                       WHERE e.attname = a.attname AND e.attrelid IN ('published.accuracy_v1'::regclass, 'published.forecast_v1'::regclass)
                       ORDER BY e.attrelid = 'published.forecast_v1'::regclass DESC LIMIT 1
                   )) AS meaning
            FROM pg_attribute AS a
            LEFT JOIN added AS w ON w.name = a.attname AND w.view = v.relname
            WHERE a.attrelid = v.oid AND a.attnum > 0
        LOOP
            EXECUTE format('COMMENT ON COLUMN published.%I.%I IS %L', v.relname, c.attname, c.meaning);
            EXECUTE format('COMMENT ON COLUMN published.%I.%I IS %L', v.stable, c.attname, c.meaning);
        END LOOP;
    END LOOP;
END;
$$;
