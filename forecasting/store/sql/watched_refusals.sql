-- Refusals since the last daily run that was not refused.
SELECT i.refused
FROM fortnight.ingest_run AS i
WHERE i.series_key = %(series_key)s AND i.kind = 'daily' AND i.refused IS NOT NULL AND i.as_of > %(since)s AND i.as_of <= %(as_of)s
  AND NOT EXISTS (
      SELECT FROM fortnight.ingest_run AS later
      WHERE later.series_key = i.series_key AND later.kind = 'daily' AND later.refused IS NULL
        AND later.ingest_run_id > i.ingest_run_id AND later.as_of <= %(as_of)s
  )
ORDER BY i.ingest_run_id
