INSERT INTO fortnight.backfill (series_id, backfill_start, backfill_end, done_until)
VALUES (%(series_id)s, %(start)s, %(end)s, %(done_until)s)
ON CONFLICT (series_id, backfill_start, backfill_end) DO UPDATE SET done_until = excluded.done_until
