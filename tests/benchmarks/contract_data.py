"""Four years of forecasts of many series, made by SQL: of a thousand, twenty million values."""

import os

from forecasting.store import Store

SERIES = int(os.environ.get("BENCHMARK_SERIES", "6"))
ISSUES, LEADS, READ = 1430, 14, min(10, SERIES)
"""Series, issues of each, targets of an issue, and how many of the series have readings."""
ZONE = "Australia/Melbourne"
FIRST_DAY = "2021-01-01"

SERIES_AND_ISSUES = f"""
SET session_replication_role = replica;
INSERT INTO fortnight.series
    (series_id, name, region, time_zone, quantity, unit, interval_length, publication_delay, source, simulated)
SELECT 'bench-' || n, 'Bench', 'AU-VIC', '{ZONE}', 'demand', 'MWh', '30 min', '0', 'csv', false
FROM generate_series(1, {SERIES}) AS n;
INSERT INTO fortnight.model_version
    (series_key, resolution, retrain_key, as_of, model_name, version, family, mlflow_run_id, weights_sha256, card_sha256,
     history_sha256, git_sha, reason)
SELECT series_key, 'daily', 'key ' || series_key || ' ' || v, timestamptz '{FIRST_DAY}Z', 'fortnight-' || series_id || '-daily',
       v, 'weather_paths', 'run', repeat('a', 64), repeat('b', 64), 'c', 'd', 'because'
FROM fortnight.series CROSS JOIN generate_series(1, 3) AS v;
INSERT INTO fortnight.forecast_issue
    (series_key, resolution, origin, readings_as_of, issued_at, model_version_key, history_sha256, unit, leads, inputs_start,
     inputs_sha256, plausible_min_mwh, plausible_max_mwh, ready_at)
SELECT m.series_key, 'daily', d.origin, d.origin + interval '6 hours', d.origin + interval '6 hours', m.model_version_key, 'h',
       'MWh', {LEADS}, d.origin - interval '14 days', d.n || ' ' || m.series_key, 0, 1e6, d.origin + interval '6 hours'
FROM (
    SELECT n, (timestamp '{FIRST_DAY}' + n * interval '1 day') AT TIME ZONE '{ZONE}' AS origin
    FROM generate_series(0, {ISSUES} - 1) AS n
) AS d
JOIN fortnight.model_version AS m ON m.version = 1 + d.n * 3 / {ISSUES}
ORDER BY d.n, m.series_key;
SELECT fortnight.ensure_month(origin) FROM (SELECT DISTINCT origin FROM fortnight.forecast_issue) AS o;
ANALYZE fortnight.forecast_issue, fortnight.series, fortnight.model_version;
"""
VALUES = f"""
INSERT INTO fortnight.forecast_value
SELECT i.issue_id, i.origin, l.lead, t.starts, t.ends, e.mean, e.mean * 0.85, e.mean * 0.9, e.mean * 0.93, e.mean * 0.97, e.mean,
       e.mean * 1.03, e.mean * 1.07, e.mean * 1.1, e.mean * 1.15, e.mean / 20, e.mean / 18, e.mean / 16,
       t.starts + interval '18 hours',
       e.mean * 0.9, e.mean * 0.02, e.mean * 0.05, e.mean * 0.99
FROM fortnight.forecast_issue AS i
CROSS JOIN generate_series(1, {LEADS}) AS l (lead)
CROSS JOIN LATERAL (
    SELECT (i.origin AT TIME ZONE '{ZONE}' + (l.lead - 1) * interval '1 day') AT TIME ZONE '{ZONE}' AS starts,
           (i.origin AT TIME ZONE '{ZONE}' + l.lead * interval '1 day') AT TIME ZONE '{ZONE}' AS ends
) AS t
CROSS JOIN LATERAL (SELECT 100000 + (i.issue_id * 7919 + l.lead * 104729) %% 20000 AS mean) AS e
WHERE i.origin >= %(first)s AND i.origin < %(last)s
"""
READINGS = f"""
INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
SELECT s.series_key, t, t + interval '30 min', 1, 2000 + 400 * sin(extract(epoch FROM t)::float8 / 43200 * pi()) + random() * 100
FROM fortnight.series AS s
CROSS JOIN generate_series(timestamptz '2019-06-01Z', timestamptz '2024-12-31Z', interval '30 min') AS t
WHERE s.series_key <= {READ};
INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
SELECT series_key, interval_start, known_at + interval '2 days', 2, value * 1.01
FROM fortnight.reading WHERE ingest_run_id = 1 AND random() < 0.02;
"""


def fill(store: Store) -> None:
    """Fill an empty, migrated database. Foreign keys and triggers are left out while loading, which needs a superuser."""
    connection = store.connection
    connection.execute("SET synchronous_commit = off")
    connection.execute(SERIES_AND_ISSUES.encode())
    for (month,) in connection.execute("SELECT month FROM fortnight.forecast_month ORDER BY month").fetchall():
        bounds = connection.execute(
            "SELECT %(m)s::date::timestamp AT TIME ZONE 'UTC', (%(m)s::date + interval '1 month') AT TIME ZONE 'UTC'", {"m": month}
        ).fetchone()
        assert bounds is not None
        connection.execute(VALUES.encode(), {"first": bounds[0], "last": bounds[1]})
    connection.execute(READINGS.encode())
    connection.execute("RESET session_replication_role")
    connection.execute("RESET synchronous_commit")
    for (name,) in connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'fortnight.forecast_value'::regclass"
    ).fetchall():
        connection.execute(f"VACUUM (ANALYZE) {name}".encode())  # what autovacuum does in time
    connection.execute("VACUUM (ANALYZE) fortnight.reading, fortnight.forecast_issue, fortnight.series, fortnight.model_version")
