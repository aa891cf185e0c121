"""Published forecasts: whole or not at all, and never twice."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from psycopg.types.json import Jsonb

from forecasting.errors import PublishError
from forecasting.store import Store
from forecasting.store.database import connect, statement
from forecasting.store.versions import ModelVersion
from tests.store.builders import MELBOURNE, ORIGIN, add_version, forecast, new_issue, new_version, series


@pytest.fixture
def version(store: Store) -> ModelVersion:
    store.readings.register(series())
    return add_version(store, new_version(store.readings.key(series())))


def publish(store: Store, version: ModelVersion, frame: pd.DataFrame, inputs: str = "i", days: int = 0, **changed: Any) -> bool:
    origin = ORIGIN + timedelta(days=days)
    moved = frame.assign(**{name: frame[name] + timedelta(days=days) for name in ("target_start", "target_end", "peak_start")})
    return store.forecasts.publish(moved, new_issue(version, origin, inputs, **changed)) is not None


def issues(store: Store) -> int:
    row = store.connection.execute("SELECT count(*) FROM fortnight.forecast_issue").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_a_forecast_is_seen_whole(store: Store, version: ModelVersion) -> None:
    assert publish(store, version, forecast())
    rows = store.forecasts.latest("vic", "daily")
    assert [row.lead for row in rows] == list(range(1, 15))
    assert rows[0].target_start == rows[0].origin == ORIGIN
    assert all(after.target_start == before.target_end for before, after in pairwise(rows))
    assert (rows[0].model_name, rows[0].model_version, rows[0].mlflow_run_id) == ("fortnight-vic-daily", 1, "run1")
    assert rows[0].readings_as_of == ORIGIN + timedelta(hours=6)


def test_the_same_inputs_make_one_forecast(store: Store, version: ModelVersion) -> None:
    assert publish(store, version, forecast())
    assert not publish(store, version, forecast())
    assert issues(store) == 1


def test_changed_inputs_make_a_new_issue_and_the_old_one_stays(store: Store, version: ModelVersion) -> None:
    publish(store, version, forecast())
    assert publish(store, version, forecast().assign(mean=101.0), inputs="other")
    assert issues(store) == 2
    assert [row.mean for row in store.forecasts.latest("vic", "daily")] == [101.0] * 14


def test_latest_is_the_newest_origin_also_after_a_replay_of_the_past(store: Store, version: ModelVersion) -> None:
    publish(store, version, forecast(), days=7)
    publish(store, version, forecast(), days=0, inputs="older")
    assert store.forecasts.latest("vic", "daily")[0].origin == ORIGIN + timedelta(days=7)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: f.drop(index=5), "13 of 14 leads"),
        (lambda f: f.drop(index=13), "13 of 14 leads"),
        (lambda f: f.assign(lead=[1, *f["lead"][:-1]]), "_pkey"),
        (lambda f: f.assign(q10=f["q10"].where(f["lead"] != 3, 100.0)), "quantiles_ascend"),
        (lambda f: f.assign(q70=f["q70"].where(f["lead"] != 3, 98.0)), "quantiles_ascend"),
        (lambda f: f.assign(calendar_mwh=None), "a value is missing"),
        (lambda f: f.assign(peak_q90_mw=4.0), "peak_quantiles_ascend"),
        (lambda f: f.assign(peak_start=f["target_end"]), "peak_is_on_the_day"),
        (lambda f: f.assign(q90=f["q90"].where(f["lead"] != 3, 1001.0), q95=1002.0, q99=1003.0), "implausible: 1001 MWh"),
        (lambda f: f.assign(q10=f["q10"].where(f["lead"] != 3, 9.0), q05=8.0, q01=7.0), "implausible: 9 MWh"),
        (lambda f: f.assign(mean=f["mean"].where(f["lead"] != 3, float("nan"))), "forecast_is_finite"),
        (lambda f: f.assign(q90=f["q90"].where(f["lead"] != 3, float("inf"))), "quantiles_ascend"),
        (
            lambda f: f.assign(
                target_start=f["target_start"] + timedelta(hours=1), peak_start=f["peak_start"] + timedelta(hours=2)
            ),
            "does not begin at the origin|follow",
        ),
        (
            lambda f: f.assign(target_end=f["target_end"].where(f["lead"] != 4, f["target_end"] + timedelta(hours=1))),
            "follow one another",
        ),
    ],
    ids=[
        "lead missing",
        "last lead missing",
        "lead doubled",
        "quantiles cross",
        "other quantiles cross",
        "no quantile",
        "peaks cross",
        "peak elsewhere",
        "too much",
        "too little",
        "nan",
        "infinite",
        "late start",
        "gap",
    ],
)
def test_a_damaged_forecast_is_kept_from_consumers(store: Store, version: ModelVersion, damage, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PublishError, match=told):
        publish(store, version, damage(forecast()))
    assert issues(store) == 0
    assert store.forecasts.latest("vic", "daily") == []


@pytest.mark.parametrize(
    ("origin", "hours"), [(datetime(2014, 4, 5, 13, tzinfo=UTC), 25), (datetime(2014, 10, 4, 14, tzinfo=UTC), 23)]
)
def test_days_of_a_clock_change_are_whole(store: Store, version: ModelVersion, origin: datetime, hours: int) -> None:
    frame = forecast(origin=origin)
    assert store.forecasts.publish(frame, new_issue(version, origin))
    lengths = [(row.target_end - row.target_start) / timedelta(hours=1) for row in store.forecasts.latest("vic", "daily")]
    assert lengths[0] == hours
    assert set(lengths[1:]) == {24}
    flat = [origin + timedelta(days=day) for day in range(15)]
    wrong = frame.assign(target_start=flat[:-1], target_end=flat[1:], peak_start=flat[:-1])
    with pytest.raises(PublishError, match="no local day of Australia/Melbourne"):
        store.forecasts.publish(wrong, new_issue(version, origin, "other"))


def test_whoever_listens_is_told(store: Store, version: ModelVersion, dsn: str) -> None:
    with connect(dsn) as listener:
        listener.execute("LISTEN forecast_ready")
        publish(store, version, forecast())
        with pytest.raises(PublishError):
            publish(store, version, forecast().drop(index=5), inputs="damaged")
        told = [json.loads(note.payload) for note in listener.notifies(timeout=1)]
    assert told == [{"series_id": "vic", "issue_id": 1, "tier": "champion", "origin": "2014-01-01T13:00:00Z"}]


def test_issues_never_change(store: Store, version: ModelVersion) -> None:
    publish(store, version, forecast())
    for change in (
        "UPDATE fortnight.forecast_issue SET tier = 'last_good', reason = 'x'",
        "DELETE FROM fortnight.forecast_issue",
        "UPDATE fortnight.forecast_value SET mean = 1",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="never change"):
            store.connection.execute(change)


def test_an_issue_that_was_not_made_ready_cannot_be_committed(store: Store, version: ModelVersion) -> None:
    told = {**asdict(new_issue(version)), "recipe": Jsonb({})}
    with pytest.raises(psycopg.errors.CheckViolation, match="must be made ready"):
        store.connection.execute(statement("add_forecast_issue"), told)
    assert issues(store) == 0


def test_a_fallback_tells_why_and_only_weekly_naive_needs_no_model(store: Store, version: ModelVersion) -> None:
    with pytest.raises(PublishError, match="a_fallback_tells_why"):
        publish(store, version, forecast(), tier="last_good")
    with pytest.raises(PublishError, match="only_naive_needs_no_model"):
        publish(store, version, forecast(), model_version_key=None)
    assert publish(store, version, forecast(), tier="weekly_naive", model_version_key=None, reason="no model")
    row = store.forecasts.latest("vic", "daily")[0]
    assert (row.tier, row.reason, row.model_name) == ("weekly_naive", "no model", None)


def test_paths_are_kept_of_the_newest_issue_only(store: Store, version: ModelVersion) -> None:
    paths = [np.full((3, 48), lead / 7) for lead in range(14)]
    for days in (0, 1, 2, -5):
        origin = ORIGIN + timedelta(days=days)
        store.forecasts.publish(forecast(origin=origin), new_issue(version, origin, f"{days}"), paths)
    rows = store.connection.execute(
        "SELECT issue_id, lead, values_mwh[3][48] FROM fortnight.forecast_path ORDER BY 1, 2"
    ).fetchall()
    assert [row[:2] for row in rows] == [(3, lead) for lead in range(1, 15)], "a replay of the past does not take its place"
    assert rows[3][2] == pytest.approx(3 / 7, abs=1e-3)


def test_values_lie_in_the_partition_of_their_month(store: Store, version: ModelVersion) -> None:
    for days in (0, 40):
        publish(store, version, forecast(), inputs=f"{days}", days=days)
    found = store.connection.execute("SELECT DISTINCT tableoid::regclass::text FROM fortnight.forecast_value ORDER BY 1").fetchall()
    assert found == [("fortnight.forecast_value_2014_01",), ("fortnight.forecast_value_2014_02",)]
    local = store.connection.execute("SELECT lead, target_start FROM fortnight.forecast_value WHERE lead = 1 ORDER BY 2").fetchall()
    assert [start.astimezone(MELBOURNE).hour for _, start in local] == [0, 0]
