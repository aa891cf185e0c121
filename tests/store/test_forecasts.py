"""Published forecasts: whole or not at all, and never twice."""

from datetime import timedelta
from itertools import pairwise

import pandas as pd
import pytest

from forecasting.errors import PublishError
from forecasting.store import Store
from forecasting.store.forecasts import NewIssue
from forecasting.store.versions import ModelVersion
from tests.store.builders import START, add_version, forecast, new_version, series


@pytest.fixture
def version(store: Store) -> ModelVersion:
    store.readings.register(series())
    return add_version(store, new_version(store.readings.key(series())))


def publish(store: Store, version: ModelVersion, frame: pd.DataFrame, history: str = "h", days: int = 0) -> bool:
    origin = START + timedelta(days=days)
    moved = frame.assign(
        target_start=frame["target_start"] + timedelta(days=days), target_end=frame["target_end"] + timedelta(days=days)
    )
    issue = NewIssue(version, origin, origin - timedelta(days=14), origin + timedelta(hours=6), history, "MWh", leads=14)
    return store.forecasts.publish(moved, issue)


def issues(store: Store) -> int:
    row = store.connection.execute("SELECT count(*) FROM fortnight.forecast_issue").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_a_forecast_is_seen_whole(store: Store, version: ModelVersion) -> None:
    assert publish(store, version, forecast())
    rows = store.forecasts.latest("vic", "daily")
    assert [row.lead for row in rows] == list(range(1, 15))
    assert rows[0].target_start == rows[0].origin == START
    assert all(after.target_start == before.target_end for before, after in pairwise(rows))
    assert (rows[0].model_name, rows[0].model_version, rows[0].mlflow_run_id) == ("fortnight-vic-daily", 1, "run1")
    assert rows[0].readings_as_of == START + timedelta(hours=6)


def test_the_same_inputs_make_one_forecast(store: Store, version: ModelVersion) -> None:
    assert publish(store, version, forecast())
    assert not publish(store, version, forecast())
    assert issues(store) == 1


def test_changed_inputs_make_a_new_issue_and_the_old_one_stays(store: Store, version: ModelVersion) -> None:
    publish(store, version, forecast())
    assert publish(store, version, forecast().assign(mean=101.0), history="other")
    assert issues(store) == 2
    assert [row.mean for row in store.forecasts.latest("vic", "daily")] == [101.0] * 14


def test_latest_is_the_newest_origin_also_after_a_replay_of_the_past(store: Store, version: ModelVersion) -> None:
    publish(store, version, forecast(), days=7)
    publish(store, version, forecast(), days=0, history="older")
    assert store.forecasts.latest("vic", "daily")[0].origin == START + timedelta(days=7)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: f.drop(index=5), "13 of 14 leads"),
        (lambda f: f.drop(index=13), "13 of 14 leads"),
        (lambda f: f.assign(lead=[1, *f["lead"][:-1]]), "forecast_value_pkey"),
        (lambda f: f.assign(q10=f["q10"].where(f["lead"] != 3, 100.0)), "quantiles_ascend"),
        (lambda f: f.assign(mean=f["mean"].where(f["lead"] != 3, float("nan"))), "forecast_is_finite"),
        (lambda f: f.assign(q90=f["q90"].where(f["lead"] != 3, float("inf"))), "forecast_is_finite"),
        (lambda f: f.assign(target_start=f["target_start"] + timedelta(hours=1)), "does not begin at the origin|follow"),
        (
            lambda f: f.assign(target_end=f["target_end"].where(f["lead"] != 4, f["target_end"] + timedelta(hours=1))),
            "follow one another",
        ),
    ],
    ids=["lead missing", "last lead missing", "lead doubled", "quantiles cross", "nan", "infinite", "late start", "gap"],
)
def test_a_damaged_forecast_is_kept_from_consumers(store: Store, version: ModelVersion, damage, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PublishError, match=told):
        publish(store, version, damage(forecast()))
    assert issues(store) == 0
    assert store.forecasts.latest("vic", "daily") == []


def test_every_published_column_is_described(store: Store) -> None:
    undescribed = store.connection.execute(
        """
        SELECT c.relname, a.attname
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'published'::regnamespace
          AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)
        """
    ).fetchall()
    functions = store.connection.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'published'::regnamespace AND obj_description(oid) IS NULL"
    ).fetchall()
    assert (undescribed, functions) == ([], [])


def test_forecast_latest_has_the_columns_that_consumers_rely_on(store: Store) -> None:
    with store.connection.cursor() as cursor:
        cursor.execute("SELECT * FROM published.forecast_latest")
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
    assert " ".join(names) == (
        "series_id resolution target_start target_end lead mean q10 q50 q90 unit issued_at origin "
        "model_name model_version mlflow_run_id readings_as_of"
    )
