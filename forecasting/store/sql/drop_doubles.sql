-- The same reading given twice counts once.
DELETE FROM staged_reading AS s
USING (
    SELECT ctid, row_number() OVER (PARTITION BY interval_start, known_at) AS number
    FROM staged_reading
    WHERE series_key = %(series_key)s
) AS d
WHERE s.ctid = d.ctid AND d.number > 1
