-- Good watches are counted, so a repeated one must be known as such; and what holds a message back must not lose it.
ALTER TABLE fortnight.alert
    ADD COLUMN judged_as_of timestamptz,
    ADD COLUMN told text CHECK (told IN ('firing', 'escalated', 'resolved'));
UPDATE fortnight.alert
SET judged_as_of = greatest(last_bad_as_of, resolved_as_of),
    told = CASE WHEN fired_as_of IS NULL THEN NULL WHEN state = 'resolved' THEN 'resolved' ELSE 'firing' END;
ALTER TABLE fortnight.alert ALTER COLUMN judged_as_of SET NOT NULL;
