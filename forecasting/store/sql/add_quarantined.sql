INSERT INTO fortnight.quarantine (ingest_run_id, series_key, reason, raw)
SELECT %(ingest_run_id)s, %(series_key)s, bad.reason, bad.raw::jsonb
FROM unnest(%(reasons)s::text[], %(raws)s::text[]) AS bad (reason, raw)
ON CONFLICT DO NOTHING
