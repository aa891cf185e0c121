"""Typical rows of earlier schemas, written as the code of their time wrote them: nothing of today's is used."""

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]

SERIES = """
    INSERT INTO fortnight.series
        (series_id, name, region, time_zone, quantity, unit, interval_length, publication_delay, source, simulated)
    VALUES ('vic', 'Victoria', 'AU-VIC', 'Australia/Melbourne', 'demand', 'MWh', '30 minutes', '0', 'csv', false)
"""
RUN = """
    INSERT INTO fortnight.ingest_run
        (series_key, source, as_of, window_start, window_end, rows_read, rows_new, rows_corrected, rows_quarantined)
    VALUES (1, 'csv', '2014-01-02Z', '2014-01-01Z', '2014-01-02Z', 48, 48, 0, 0)
"""
READINGS = """
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT 1, t, t + interval '30 minutes', 1, 100
    FROM generate_series('2014-01-01Z', '2014-01-01 23:30Z', interval '30 minutes') AS t
"""
VERSION = """
    INSERT INTO fortnight.model_version
        (series_key, resolution, retrain_key, as_of, model_name, version, family, mlflow_run_id, weights_sha256, card_sha256,
         history_sha256, git_sha, {promoted} reason)
    VALUES (1, 'daily', 'k', '2014-01-01 13:00Z', 'fortnight-vic-daily', 1, 'weekly_naive', 'run', repeat('a', 64),
        repeat('b', 64),
            'h', 'g', {true} 'because')
"""
PROMOTION = """
    INSERT INTO fortnight.promotion (series_key, resolution, model_version_key, kind, as_of, reason)
    VALUES (1, 'daily', 1, 'elected', '2014-01-01 13:00Z', 'because')
"""
ISSUE = """
    INSERT INTO fortnight.forecast_issue
        (series_key, resolution, origin, readings_as_of, model_version_key, history_sha256, unit, leads)
    VALUES (1, 'daily', '2014-01-01 13:00Z', '2014-01-01 19:00Z', 1, 'h', 'MWh', 14)
"""
VALUES = """
    INSERT INTO fortnight.forecast_value (issue_id, lead, target_start, target_end, mean, q10, q50, q90)
    SELECT 1, n, '2014-01-01 13:00Z'::timestamptz + (n - 1) * interval '1 day',
           '2014-01-01 13:00Z'::timestamptz + n * interval '1 day',
           100, 90, 99, 110
    FROM generate_series(1, 14) AS n
"""
ALERT = """
    INSERT INTO fortnight.alert (series_key, rule, opened_as_of, message)
    VALUES (1, 'validation_loss_drift', '2014-01-01Z', 'drifting')
"""

SINCE_0002 = """
    INSERT INTO fortnight.series (series_id, name, region, time_zone, quantity, unit, interval_length, publication_delay,
        source,
                                  simulated, companion_of)
    VALUES ('vic.temperature', 'Victoria', 'AU-VIC', 'Australia/Melbourne', 'temperature', 'C', '30 minutes', '0', 'csv',
        false, 1),
           ('vic.outlook', 'Victoria', 'AU-VIC', 'Australia/Melbourne', 'temperature_forecast', 'C', '1 hour', '0',
            'csv', false, 1);
    INSERT INTO fortnight.ingest_run (series_key, source, as_of, window_start, window_end, rows_read, rows_new, rows_corrected,
                                      rows_quarantined, kind, missing, refused)
    VALUES (1, 'csv', '2014-01-03Z', '2014-01-01Z', '2014-01-03Z', 48, 0, 1, 1, 'gap',
        '{[2014-01-02 02:00Z,2014-01-02 03:00Z)}', NULL),
           (1, 'csv', '2014-01-04Z', '2014-01-03Z', '2014-01-04Z', 0, 0, 0, 0, 'daily', '{}', 'a web page instead of readings');
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    VALUES (1, '2014-01-01 05:00Z', '2014-01-03Z', 2, 101), (2, '2014-01-01 05:00Z', '2014-01-03Z', 2, 31.5);
    INSERT INTO fortnight.correction VALUES (1, '2014-01-01 05:00Z', 2, 100, 101, '2014-01-01 05:30Z', '2014-01-03Z');
    INSERT INTO fortnight.gap (series_key, gap_start, gap_end, found_by, last_asked_by, times_asked, healed_by)
    VALUES (1, '2014-01-02 02:00Z', '2014-01-02 03:00Z', 2, 2, 1, NULL), (1, '2014-01-01 02:00Z', '2014-01-01 02:30Z', 1,
        2, 3, 2);
    INSERT INTO fortnight.quarantine (ingest_run_id, series_key, reason, raw, interval_start, released_by)
    VALUES (2, 1, 'spike', '{"demand_mwh": "99999"}', '2014-01-02 04:00Z', NULL);
    INSERT INTO fortnight.backfill VALUES ('vic', '2013-01-01Z', '2014-01-01Z', '2013-06-01Z');
    INSERT INTO fortnight.series_lock VALUES ('vic');
"""
MODELS_SINCE_0003 = """
    INSERT INTO fortnight.model_version
        (series_key, resolution, retrain_key, as_of, model_name, version, family, mlflow_run_id, weights_sha256, card_sha256,
         history_sha256, git_sha, reason, contender, information, history_start, history_end)
    VALUES (1, 'daily', 'k', '2014-01-01 13:00Z', 'fortnight-vic-daily', 1, 'two_stage_ridge', 'run1', repeat('a', 64),
        repeat('b', 64),
            'h', 'g', 'because', true, 'P', '2012-01-01Z', '2014-01-01 13:00Z'),
           (1, 'daily', 'k', '2014-01-01 13:00Z', 'fortnight-vic-daily', 2, 'weekly_naive', 'run2', repeat('c', 64),
            repeat('d', 64),
            'h', 'g', 'because', false, 'U', '2012-01-01Z', '2014-01-01 13:00Z');
    INSERT INTO fortnight.validation_score
    VALUES (1, 'candidate', 1, '2013-12-01', '2013-12-31', 30, 5, 4, 3, 0.9, 0.8), (1, 'weekly_naive', 2, '2013-12-01',
        '2013-12-31', 30,
            9, 8, 7, 1, 0.8);
    INSERT INTO fortnight.promotion (series_key, resolution, model_version_key, kind, as_of, reason)
    VALUES (1, 'daily', 1, 'elected', '2014-01-01 13:00Z', 'because'), (1, 'daily', 2, 'by hand', '2014-01-01 13:00Z',
        'steadier'),
           (1, 'daily', 1, 'rollback', '2014-01-01 13:00Z', 'not steadier');
"""
ISSUES_SINCE_0004 = """
    SELECT fortnight.ensure_month('2014-01-01 13:00Z');
    INSERT INTO fortnight.forecast_issue
        (series_key, resolution, origin, readings_as_of, model_version_key, history_sha256, unit, leads, inputs_start,
         inputs_sha256,
         tier, reason, feed_at_fault, git_sha, recipe, previous_issue_id, plausible_min_mwh, plausible_max_mwh)
    VALUES (1, 'daily', '2014-01-01 13:00Z', '2014-01-01 19:00Z', 1, 'h', 'MWh', 14, '2013-12-18 13:00Z', 'one',
        'champion', NULL, NULL,
            'g', '{"since": "2012-01-01T00:00:00+00:00", "outlook_days": 0}', NULL, 10, 1000),
           (1, 'daily', '2014-01-02 13:00Z', '2014-01-02 19:00Z', NULL, 'i', 'MWh', 14, '2013-12-19 13:00Z', 'two',
            'weekly_naive',
            'no model can be used', 'registry', 'g', '{"since": "2012-01-01T00:00:00+00:00", "outlook_days": 0}', 1, 10, 1000);
    INSERT INTO fortnight.forecast_value (issue_id, origin, lead, target_start, target_end, mean, q01, q05, q10, q30,
        q50, q70, q90, q95,
        q99, peak_q10_mw, peak_q50_mw, peak_q90_mw, peak_start, reference_mwh, calendar_mwh, weather_mwh, previous_model_mwh)
    SELECT i.issue_id, i.origin, n, i.origin + (n - 1) * interval '1 day', i.origin + n * interval '1 day', 100 + n, 80,
        85, 90, 95, 99,
           103, 110, 115, 120, 5, 6, 7, i.origin + (n - 1) * interval '1 day', 98, 1, 0.5, CASE WHEN i.issue_id = 2 THEN 99 END
    FROM fortnight.forecast_issue AS i CROSS JOIN generate_series(1, 14) AS n;
    INSERT INTO fortnight.forecast_path
    SELECT 2, n, array_fill(2.5::real, ARRAY[3, 48]) FROM generate_series(1, 14) AS n;
    INSERT INTO fortnight.predecessor_value SELECT 1, n, 2, 90, 100, 110 FROM generate_series(1, 7) AS n;
    SELECT fortnight.make_ready(issue_id) FROM fortnight.forecast_issue ORDER BY issue_id;
    INSERT INTO fortnight.issue_hold (issue_id, reason, made_by) VALUES (1, 'for the regulator', 'ann');
    INSERT INTO fortnight.model_file (model_version_key, weights, card) VALUES (1, '\\x0102', '{}');
"""
ALERTS_SINCE_0004 = """
    INSERT INTO fortnight.alert (series_key, rule, pending_as_of, message, severity, state, since, fired_as_of,
        last_bad_as_of, times_bad,
        severity_score, cause, remedy, mlflow_run_id, issue_id, acknowledged_at, acknowledged_by, note, resolved_as_of,
            resolved_at
        {more})
    VALUES (1, 'readings_stale', '2014-01-02Z', 'stale', 'page', 'acknowledged', '2014-01-01Z', '2014-01-02Z',
        '2014-01-03Z', 2, 1.5,
            'the feed', 'look', NULL, NULL, '2014-01-02 08:00Z', 'ann', 'on it', NULL, NULL {acknowledged}),
           (1, 'loss_against_naive', '2014-01-01Z', 'drifting', 'page', 'resolved', '2014-01-01Z', '2014-01-01Z',
            '2014-01-02Z', 3, 2.5,
            'weather', 'wait', 'run1', 1, NULL, NULL, NULL, '2014-01-03Z', '2014-01-03Z' {resolved}),
           (NULL, 'pooled_loss', '2014-01-03Z', 'all', 'digest', 'firing', '2014-01-03Z', '2014-01-03Z', '2014-01-03Z',
            1, 1, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL {firing}),
           (1, 'band', '2014-01-03Z', 'wide', 'digest', 'pending', '2014-01-03Z', NULL, '2014-01-03Z', 1, 1, NULL, NULL,
            NULL, NULL,
            NULL, NULL, NULL, NULL, NULL {pending});
    INSERT INTO fortnight.silence (series_key, rule, starts_at, ends_at, reason, made_by)
    VALUES (1, NULL, '2014-01-01Z', '2014-02-01Z', 'works on the meter', 'ann');
    INSERT INTO fortnight.notification (channel, kind, subject, body, alert_ids, as_of, due_at, attempts, last_error, sent_at)
    VALUES ('log', 'firing', 's', 'b', '{{1}}', '2014-01-02Z', '2014-01-02Z', 1, NULL, '2014-01-02Z'),
           ('ops', 'digest', 's', 'b', '{{3}}', '2014-01-03Z', '2014-01-03Z', 2, 'refused', NULL);
    INSERT INTO fortnight.drift_action (alert_id, action, as_of, outcome, ended_at)
    VALUES (2, 'retrain', '2014-01-01Z', 'version 2', '2014-01-01Z'), (2, 'rollback', '2014-01-02Z', NULL, NULL);
"""
RUNS_SINCE_0008 = """
    INSERT INTO fortnight.run (run_id, started_at, started_by, host, pid, ended_at, outcome, told)
    VALUES ('11111111-1111-4111-8111-111111111111', '2014-01-02 19:00Z', 'hand', 'h', 7, '2014-01-02 19:01Z', 'done', NULL),
           ('22222222-2222-4222-8222-222222222222', '2014-01-03 19:00Z', 'caretaker', 'h', 8, '2014-01-03 19:05Z', 'died', 'shot');
    INSERT INTO fortnight.run_step (run_id, series_id, job, as_of, started_at, ended_at, outcome, told)
    VALUES ('11111111-1111-4111-8111-111111111111', 'vic', 'publish', '2014-01-02 19:00Z', '2014-01-02 19:00Z', '2014-01-02 19:01Z',
            'done', 'issue 2'),
           ('22222222-2222-4222-8222-222222222222', NULL, 'watch', '2014-01-03 19:00Z', '2014-01-03 19:00Z', '2014-01-03 19:05Z',
            'died', NULL);
"""
JUDGED_BEFORE_0006 = dict.fromkeys(("more", "acknowledged", "resolved", "firing", "pending"), "")
JUDGED = {
    "more": ", judged_as_of, told",
    "acknowledged": ", '2014-01-03Z', 'firing'",
    "resolved": ", '2014-01-03Z', 'resolved'",
    "firing": ", '2014-01-03Z', 'firing'",
    "pending": ", '2014-01-03Z', NULL",
}


def fill_first(connection: Connection, revision: str) -> None:
    """Data of the first three schemas."""
    promoted = revision < "0003"
    version = VERSION.format(promoted="promoted," if promoted else "", true="true," if promoted else "")
    for statement in (SERIES, RUN, READINGS, version, ISSUE, VALUES, ALERT):
        connection.execute(statement.encode())
    if not promoted:
        connection.execute(PROMOTION.encode())


def fill(connection: Connection, revision: str) -> None:
    """Data of a schema from 0004 on: two ready issues, one of them a fallback, and something in every table that then was."""
    alerts = ALERTS_SINCE_0004.format(**(JUDGED_BEFORE_0006 if revision < "0006" else JUDGED))
    statements = [SERIES, RUN, READINGS, SINCE_0002, MODELS_SINCE_0003, ISSUES_SINCE_0004, alerts]
    statements += [RUNS_SINCE_0008] if revision >= "0008" else []
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())


def rows_of(connection: Connection, schema: str, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """All rows of relations, as sorted texts of the given columns."""
    connection.execute("SET jit = off")  # which would take seconds for the plans of the larger views
    found = {}
    for name, wanted in columns.items():
        listed = ", ".join(f'"{column}"' for column in wanted)
        query = f"SELECT row({listed})::text FROM {schema}.{name} ORDER BY 1"
        found[name] = [str(text) for (text,) in connection.execute(query.encode()).fetchall()]
    return found


def columns_of(connection: Connection, schema: str, kinds: str) -> dict[str, list[str]]:
    """The columns of the tables (kinds 'rp') or views ('v') of a schema; without those that depend on the time of asking."""
    rows = connection.execute(
        """
        SELECT c.relname, array_agg(a.attname ORDER BY a.attnum)::text[]
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = ANY (string_to_array(%s, NULL)) AND NOT c.relispartition
          AND a.attname <> 'reading_age'
        GROUP BY 1 ORDER BY 1
        """,
        (schema, kinds),
    ).fetchall()
    return dict(rows)  # type: ignore[arg-type]
