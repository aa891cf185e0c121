-- Readings given twice with different values: nobody can say which is right, so all of them are set aside.
WITH doubled AS (
    SELECT interval_start, known_at
    FROM staged_reading
    WHERE series_key = %(series_key)s
    GROUP BY interval_start, known_at
    HAVING min(value) <> max(value)
), taken AS (
    DELETE FROM staged_reading AS s
    USING doubled AS d
    WHERE s.series_key = %(series_key)s AND s.interval_start = d.interval_start AND s.known_at IS NOT DISTINCT FROM d.known_at
    RETURNING s.interval_start, s.value
)
INSERT INTO staged_rejected (series_key, reason, raw, interval_start)
SELECT %(series_key)s, 'doubled with different values',
       jsonb_build_object('interval_start', t.interval_start, 'value', t.value::text)::text, t.interval_start
FROM taken AS t
