"""Versioned readings: what was known when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from forecasting.domain import Quantity
from forecasting.errors import SettingsError
from forecasting.store import Store
from tests.store.builders import HALF_HOUR, START, at, merge, series


def known(store: Store, half_hours: float) -> dict[int, float]:
    frame = store.readings.as_of(series(), at(half_hours))
    return {int((start - START) / HALF_HOUR): value for start, value in zip(frame["interval_start"], frame["value"], strict=True)}


def add(store: Store, values: dict[int, float], as_of: float, since: float = 0, **options: object) -> tuple[int, int, int]:
    store.readings.register(series())
    added = merge(store, series(), values, as_of, since, **options)
    return added.new, added.corrected, added.quarantined


def test_new_readings_are_known_from_the_end_of_their_interval(store: Store) -> None:
    assert add(store, {0: 10.0, 1: 11.0, 2: 12.0}, as_of=100) == (3, 0, 0)
    assert known(store, 0.5) == {}
    assert known(store, 1) == {0: 10.0}
    assert known(store, 2.5) == {0: 10.0, 1: 11.0}
    assert known(store, 100) == {0: 10.0, 1: 11.0, 2: 12.0}


def test_a_declared_delay_postpones_knowledge(store: Store) -> None:
    late = series(delay=timedelta(hours=1))
    store.readings.register(late)
    merge(store, late, {0: 10.0}, as_of=100)
    assert known(store, 2.9) == {}
    assert known(store, 3) == {0: 10.0}


def test_the_same_readings_again_change_nothing(store: Store) -> None:
    add(store, {0: 10.0, 1: 11.0}, as_of=10)
    assert add(store, {0: 10.0, 1: 11.0}, as_of=20) == (0, 0, 0)
    assert known(store, 20) == {0: 10.0, 1: 11.0}


def test_a_correction_is_a_new_version_and_the_old_one_stays_askable(store: Store) -> None:
    add(store, {0: 10.0, 1: 11.0}, as_of=10)
    assert add(store, {0: 99.0, 1: 11.0}, as_of=20) == (0, 1, 0)
    assert known(store, 19.9) == {0: 10.0, 1: 11.0}
    assert known(store, 20) == {0: 99.0, 1: 11.0}


def test_a_second_correction_at_the_same_moment_wins_without_overwriting(store: Store) -> None:
    add(store, {0: 10.0}, as_of=10)
    add(store, {0: 20.0}, as_of=20)
    assert add(store, {0: 30.0}, as_of=20) == (0, 1, 0)
    assert known(store, 20) == {0: 30.0}
    versions = store.connection.execute("SELECT value FROM fortnight.reading ORDER BY ingest_run_id").fetchall()
    assert [value for (value,) in versions] == [10.0, 20.0, 30.0]


def test_a_reading_that_an_earlier_run_looked_for_is_known_only_from_the_run_that_brought_it(store: Store) -> None:
    add(store, {0: 10.0, 2: 12.0}, as_of=10)
    assert add(store, {0: 10.0, 1: 11.0, 2: 12.0, 10: 20.0}, as_of=20) == (2, 0, 0)
    assert known(store, 19.9) == {0: 10.0, 2: 12.0, 10: 20.0}, "reading 1 was missing at 10, reading 10 was not due then"
    assert known(store, 20) == {0: 10.0, 1: 11.0, 2: 12.0, 10: 20.0}


def test_a_backfill_of_what_nobody_looked_for_is_dated_by_its_intervals(store: Store) -> None:
    add(store, {10: 20.0}, as_of=20, since=10)
    add(store, {0: 10.0}, as_of=30, since=0)
    assert known(store, 1) == {0: 10.0}


def test_demand_as_of_says_the_same_in_sql(store: Store) -> None:
    add(store, {0: 10.0, 1: 11.0}, as_of=10)
    add(store, {0: 99.0}, as_of=20)
    query = "SELECT * FROM published.demand_as_of(%s) ORDER BY interval_start"
    assert store.connection.execute(query, (at(19),)).fetchall() == [
        ("vic", at(0), 10.0, "MWh", at(1)),
        ("vic", at(1), 11.0, "MWh", at(2)),
    ]
    assert store.connection.execute(query, (at(20),)).fetchall()[0] == ("vic", at(0), 99.0, "MWh", at(20))


def test_companions_are_not_demand(store: Store) -> None:
    temperature = series().companion(Quantity.TEMPERATURE)
    store.readings.register(series(), temperature)
    merge(store, temperature, {0: 21.0}, as_of=10)
    assert store.connection.execute("SELECT count(*) FROM published.demand_as_of(now())").fetchone() == (0,)
    assert store.readings.as_of(temperature, at(10))["value"].tolist() == [21.0]


def test_bad_rows_are_kept_once_with_their_reason(store: Store) -> None:
    bad = [("not a number", {"demand_mwh": "NA", "note": 'quo"te, NUL \0'})]
    assert add(store, {0: 10.0}, as_of=10, rejected=bad) == (1, 0, 1)
    assert add(store, {0: 10.0}, as_of=20, rejected=bad) == (0, 0, 0)
    rows = store.connection.execute("SELECT reason, raw->>'demand_mwh' FROM fortnight.quarantine").fetchall()
    assert rows == [("not a number", "NA")]


def test_a_batch_is_added_whole_or_not_at_all(store: Store) -> None:
    add(store, {0: 10.0}, as_of=10)
    with pytest.raises(Exception, match="reading_value_check"):
        add(store, {1: 11.0, 2: float("inf")}, as_of=20)
    assert known(store, 30) == {0: 10.0}
    assert store.connection.execute("SELECT count(*) FROM fortnight.ingest_run").fetchone() == (1,)


def test_a_series_with_readings_keeps_its_grid(store: Store) -> None:
    hourly = replace(series(), interval=timedelta(hours=1))
    store.readings.register(hourly)
    add(store, {0: 10.0}, as_of=10)
    with pytest.raises(SettingsError, match="give the changed series a new id"):
        store.readings.register(hourly)


def test_an_unknown_series_is_named(store: Store) -> None:
    with pytest.raises(SettingsError, match="series vic has never been ingested; run 'fortnight ingest'"):
        store.readings.as_of(series(), START)
