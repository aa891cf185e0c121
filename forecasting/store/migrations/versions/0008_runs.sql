-- Every run of the jobs and each of its steps, written while it works: what is under way, what died, what is done for today. A living run
-- holds a lock on its row, so that anybody can tell from the outside whether it lives.
CREATE TABLE fortnight.run (
    run_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_by text NOT NULL CHECK (started_by IN ('hand', 'flow', 'caretaker')),
    host text NOT NULL,
    pid integer NOT NULL,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('done', 'failed', 'busy', 'died')),
    told text,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX run_living ON fortnight.run (started_at) WHERE ended_at IS NULL;

CREATE TABLE fortnight.run_step (
    run_step_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES fortnight.run,
    series_id text,  -- not a key: a first ingest is what registers a series
    job text NOT NULL,
    as_of timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('done', 'failed', 'died')),
    told text,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX run_step_run ON fortnight.run_step (run_id);
CREATE INDEX run_step_done ON fortnight.run_step (series_id, job, as_of) WHERE outcome = 'done';
CREATE INDEX run_step_newest ON fortnight.run_step (started_at);

GRANT INSERT, UPDATE ON fortnight.run, fortnight.run_step TO fortnight_writer;

CREATE VIEW published.run_v1 AS
SELECT r.run_id, s.series_id, s.job, r.started_by, s.as_of, s.started_at, s.ended_at,
       extract(epoch FROM s.ended_at - s.started_at)::double precision AS seconds, s.outcome, s.told
FROM fortnight.run_step AS s
JOIN fortnight.run AS r USING (run_id);
CREATE VIEW published.run AS SELECT * FROM published.run_v1;

DO $$
DECLARE
    named text;
    told text[];
BEGIN
    FOREACH named IN ARRAY ARRAY['run_v1', 'run'] LOOP
        EXECUTE format('COMMENT ON VIEW published.%I IS %L', named, 'Every step of every run: one row a job of one series.');
        FOREACH told SLICE 1 IN ARRAY ARRAY[
            ['run_id', 'The run that the step belongs to, also in the log; of a flow, Prefect''s own id of its run.'],
            ['series_id', 'Which series; null for what is about all of them together.'],
            ['job', 'ingest, retrain, publish, watch, or another command.'],
            ['started_by', 'hand: a command; flow: Prefect; caretaker: it was overdue.'],
            ['as_of', 'Up to when anything might be known (UTC).'],
            ['started_at', 'When it began, by the clock (UTC).'],
            ['ended_at', 'When it ended, by the clock (UTC); null while it works.'],
            ['seconds', 'How long it took, in seconds.'],
            ['outcome', 'done, failed or died; null while it works.'],
            ['told', 'How it went, in words.']
        ] LOOP
            EXECUTE format('COMMENT ON COLUMN published.%I.%I IS %L', named, told[1], told[2]);
        END LOOP;
    END LOOP;
END;
$$;
