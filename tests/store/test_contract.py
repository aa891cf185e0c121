"""The contract with consumers: names, columns, types and their order. A change here breaks somebody's dashboard: make a _v2."""

import re

from forecasting.store import Store

SHORT = {
    "timestamp with time zone": "time",
    "timestamp without time zone": "local",
    "double precision": "float",
    "integer": "int",
    "smallint": "short",
    "bigint": "long",
    "boolean": "bool",
}
VIEWS = """
accuracy_v1: series_id text, month date, lead short, tier text, model_name text, model_version int, family text, unit
    text, n long, mae float, mape_percent float, mase float, bias float, pinball float, coverage_80 float, coverage_98
    float, skill_vs_weekly_naive float, skill_vs_operator float
alert_v1: alert_id long, series_id text, rule text, severity text, state text, since time, pending_as_of time,
    fired_as_of time, last_bad_as_of time, resolved_as_of time, resolved_at time, message text, cause text, remedy text,
    severity_score float, mlflow_run_id text, issue_id long, inhibited_by text, acknowledged_at time, acknowledged_by
    text, note text, escalated_as_of time
champion_v1: series_id text, resolution text, model_name text, model_version int, family text, mlflow_run_id text, kind text,
    as_of time, until_as_of time, reason text, promoted_at time, present bool
corrections_v1: series_id text, interval_start time, old_value float, new_value float, unit text, old_known_at time,
    known_at time, models text[], forecasts long[]
daily_peak_v1: series_id text, issue_id long, lead short, target_start time, target_end time, p10_mw float, p50_mw
    float, p90_mw float, peak_start time, peak_start_local local, latest bool
demand_forecast_version_v1: series_id text, interval_start time, value float, unit text, known_at time, ingest_run_id
    long
demand_version_v1: series_id text, interval_start time, value float, unit text, known_at time, ingest_run_id long
driver_v1: series_id text, issue_id long, lead short, target_start time, target_end time, reference_mw float,
    calendar_mw float, weather_mw float, level_mw float, mean_mw float, latest bool
forecast_latest_v1: series_id text, resolution text, target_start time, target_end time, lead short, mean float, q10
    float, q50 float, q90 float, unit text, issued_at time, origin time, model_name text, model_version int,
    mlflow_run_id text, readings_as_of time, issue_id long, tier text, reason text, q01 float, q05 float, q30 float, q70
    float, q95 float, q99 float, ready_at time, feed_at_fault text, age_days short, git_sha text, weather_issued_at time
forecast_v1: series_id text, resolution text, target_start time, target_end time, lead short, mean float, q10 float, q50
    float, q90 float, unit text, issued_at time, origin time, model_name text, model_version int, mlflow_run_id text,
    readings_as_of time, issue_id long, tier text, reason text, q01 float, q05 float, q30 float, q70 float, q95 float,
    q99 float, ready_at time, feed_at_fault text, age_days short, git_sha text, weather_issued_at time
forecast_vs_actual_v1: series_id text, resolution text, issue_id long, lead short, origin time, target_start time,
    target_end time, target_day date, tier text, model_name text, model_version int, family text, unit text, mean float,
    q01 float, q10 float, q50 float, q90 float, q99 float, actual_first float, actual float, error float, absolute_error
    float, mean_error float, pinball float, inside_80 bool, inside_98 bool, weekly_naive float, operator_forecast float
issue_v1: series_id text, resolution text, issue_id long, origin time, readings_as_of time, weather_issued_at time,
    issued_at time, ready_at time, leads short, unit text, tier text, reason text, feed_at_fault text, age_days short,
    model_name text, model_version int, family text, mlflow_run_id text, git_sha text, previous_issue_id long
path_v1: series_id text, issue_id long, origin time, path int, lead short, interval_start time, mwh float, mw float,
    target_start time, target_end time
predecessor_v1: series_id text, resolution text, issue_id long, lead short, origin time, model_name text, model_version int, family
    text, mlflow_run_id text, unit text, q10 float, q50 float, q90 float
retrain_v1: series_id text, resolution text, as_of time, model_name text, model_version int, elected bool, first_day date, last_day
    date, unit text, pinball float, weekly_naive_pinball float, newest_week_pinball float, newest_week_weekly_naive_pinball float,
    skill_vs_weekly_naive float, mape_percent float, mase float, coverage_80 float
revision_v1: series_id text, issue_id long, previous_issue_id long, lead short, target_start time, target_end time,
    mean_mw float, mean_before_mw float, change_mw float, new_model_mw float, new_weather_mw float, new_readings_mw
    float, latest bool
run_v1: run_id uuid, series_id text, job text, started_by text, as_of time, started_at time, ended_at time, seconds float,
    outcome text, told text
series_v1: series_id text, name text, region text, time_zone text, unit text, interval_length interval, source text,
    simulated bool
status_v1: series_id text, newest_reading_end time, reading_age interval, issue_id long, origin time, ready_at time,
    tier text, reason text, feed_at_fault text, age_days short, last_target_end time, last_ingest_as_of time,
    last_ingest_refused text, open_gaps long, quarantined_7_days long, alerts_firing long, worst text
weather_version_v1: series_id text, quantity text, interval_start time, value float, unit text, known_at time,
    ingest_run_id long
"""
FUNCTIONS = """
demand_as_of_v1(t time): series_id text, interval_start time, value float, unit text, known_at time
demand_forecast_as_of_v1(t time): series_id text, interval_start time, value float, unit text, known_at time
exceedance_v1(series text, mw float): series_id text, issue_id long, origin time, lead short, target_start time,
    target_end time, threshold_mw float, probability float, expected_hours float, paths int, latest bool
forecast_as_of_v1(t time): series_id text, resolution text, target_start time, target_end time, lead short, mean float,
    q10 float, q50 float, q90 float, unit text, issued_at time, origin time, model_name text, model_version int,
    mlflow_run_id text, readings_as_of time, issue_id long, tier text, reason text, q01 float, q05 float, q30 float, q70
    float, q95 float, q99 float, ready_at time, feed_at_fault text, age_days short, git_sha text, weather_issued_at time
weather_as_of_v1(t time): series_id text, quantity text, interval_start time, value float, unit text, known_at time
"""


def shortened(text: str) -> str:
    for name, short in SHORT.items():
        text = text.replace(name, short)
    return text


def written(text: str) -> dict[str, str]:
    """Name and columns of each entry; a line that is indented goes on with the one before."""
    return dict(line.split(": ", 1) for line in re.sub(r"\n +", " ", text.strip()).splitlines())


def views(store: Store) -> dict[str, str]:
    rows = store.connection.execute(
        """
        SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'published'::regnamespace
        GROUP BY c.relname
        """
    ).fetchall()
    return {str(name): shortened(str(columns)) for name, columns in rows}


def functions(store: Store) -> dict[str, str]:
    rows = store.connection.execute(
        """
        SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')', pg_get_function_result(oid)
        FROM pg_proc WHERE pronamespace = 'published'::regnamespace
        """
    ).fetchall()
    return {shortened(str(name)): shortened(str(result)).removeprefix("TABLE(").removesuffix(")") for name, result in rows}


def test_the_contract_stands(store: Store) -> None:
    assert {name: columns for name, columns in views(store).items() if name.endswith("_v1")} == written(VIEWS)
    assert {name: columns for name, columns in functions(store).items() if "_v1(" in name} == written(FUNCTIONS)


def test_every_stable_name_is_its_newest_version(store: Store) -> None:
    every = {**views(store), **functions(store)}
    stable = {name: columns for name, columns in every.items() if "_v1" not in name}
    assert stable == {name.replace("_v1", "", 1): columns for name, columns in every.items() if "_v1" in name}


def test_there_are_only_views_and_functions_and_each_is_described(store: Store) -> None:
    kinds = store.connection.execute(
        "SELECT DISTINCT relkind FROM pg_class WHERE relnamespace = 'published'::regnamespace"
    ).fetchall()
    assert kinds == [("v",)] or kinds == [(b"v",)]
    undescribed = store.connection.execute(
        """
        SELECT c.relname, a.attname
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'published'::regnamespace
          AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
        UNION ALL
        SELECT proname, '()' FROM pg_proc
        WHERE pronamespace = 'published'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
        """
    ).fetchall()
    assert undescribed == []


def test_every_number_has_its_unit(store: Store) -> None:
    """A float's description says MWh, MW, unit, seconds, per cent or a share; counts and days tell by their names."""
    rows = store.connection.execute(
        """
        SELECT c.relname, a.attname, col_description(c.oid, a.attnum)
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'published'::regnamespace AND a.atttypid = 'float8'::regtype
        """
    ).fetchall()
    assert len(rows) > 60
    told = re.compile(r"in unit|in seconds|in MWh?\b|per cent|0 to 1|pinball /|mae over|own measure")
    assert [row for row in rows if not told.search(str(row[2]))] == []
