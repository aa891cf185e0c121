"""The way in: gaps, corrections, quarantine, refusals, stated times, and merges that wait for each other."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.domain import Quantity
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.store import Store
from forecasting.store.ingests import Gap, Window
from tests.store.builders import HALF_HOUR, START, add_version, at, batch, forecast, merge, new_issue, new_version, series

FOREVER = at(100_000)


@pytest.fixture
def registered(store: Store) -> Store:
    store.readings.register(series(), *(series().companion(quantity) for quantity in Quantity))
    return store


def gaps(store: Store) -> list[tuple[float, float]]:
    found = store.ingests.open_gaps(store.readings.key(series()), START, FOREVER)
    return [((gap.start - START) / HALF_HOUR, (gap.end - START) / HALF_HOUR) for gap in found]


def values(*numbers: int) -> dict[int, float]:
    return {number: float(number + 1) for number in numbers}


def test_a_hole_between_readings_is_a_gap_until_it_is_healed(registered: Store) -> None:
    merge(registered, series(), values(0, 1, 4, 5, 8), as_of=20)
    assert gaps(registered) == [(2, 4), (6, 8)]
    merge(registered, series(), values(2, 6, 7), as_of=21)
    assert gaps(registered) == [(3, 4)]
    merge(registered, series(), values(3), as_of=22)
    assert gaps(registered) == []
    rows = registered.connection.execute("SELECT count(*), count(healed_by), max(times_asked) FROM fortnight.gap").fetchone()
    assert rows == (3, 3, 1)


def test_what_has_not_come_yet_and_what_was_before_the_first_reading_is_no_gap(registered: Store) -> None:
    merge(registered, series(), values(10, 11), as_of=40)
    assert gaps(registered) == []


def test_a_gap_that_is_asked_for_again_in_vain_is_counted(registered: Store) -> None:
    merge(registered, series(), values(0, 3), as_of=10)
    merge(registered, series(), values(0, 3), as_of=11)
    merge(registered, series(), {}, as_of=12, since=0, until=4, kind="gap")
    assert registered.connection.execute("SELECT times_asked FROM fortnight.gap").fetchall() == [(3,)]


def test_a_gap_across_the_edges_of_a_window_is_found_once(registered: Store) -> None:
    merge(registered, series(), values(0, 1), as_of=10, until=2)
    merge(registered, series(), values(8, 9), as_of=10, since=6)
    assert gaps(registered) == [(2, 8)]
    merge(registered, series(), values(4), as_of=11, since=3, until=6)
    assert gaps(registered) == [(2, 4), (5, 8)]


def test_a_correction_names_the_models_and_forecasts_that_used_the_old_value(registered: Store) -> None:
    key = registered.readings.key(series())
    merge(registered, series(), values(0, 1, 2), as_of=10)
    trained = replace(new_version(key, version=7, as_of=at(11)), history_start=at(0), history_end=at(2))
    used = add_version(registered, trained)
    later = add_version(registered, replace(new_version(key, version=8, as_of=at(30)), history_start=at(0), history_end=at(2)))
    for model, as_of in ((used, 11), (later, 30)):
        issue = new_issue(model, at(-22), f"inputs {as_of}", readings_as_of=at(as_of))
        registered.forecasts.publish(forecast(origin=at(-22)), issue)
    assert merge(registered, series(), {0: 99.0, 1: 2.0, 2: 98.0}, as_of=20).corrected == 2
    rows = registered.connection.execute("SELECT * FROM published.corrections ORDER BY interval_start").fetchall()
    assert [row[:7] for row in rows] == [
        ("vic", at(0), 1.0, 99.0, "MWh", at(1), at(20)),
        ("vic", at(2), 3.0, 98.0, "MWh", at(3), at(20)),
    ]
    assert rows[0][7:] == (["fortnight-vic-daily version 7"], [1])
    assert rows[1][7:] == ([], []), "the model's history ended before it"
    use = registered.ingests.correction_use("vic", at(20))
    assert (use.readings, use.models, use.forecasts) == (2, ["fortnight-vic-daily version 7"], 1)


def test_a_forecast_is_named_for_its_inputs_too(registered: Store) -> None:
    key = registered.readings.key(series())
    merge(registered, series(), values(0), as_of=10)
    old = replace(new_version(key, as_of=at(-50)), history_start=at(-100), history_end=at(-50))
    model = add_version(registered, old)
    issue = new_issue(model, at(26), inputs_start=at(0), readings_as_of=at(60))
    registered.forecasts.publish(forecast(origin=at(26)), issue)
    merge(registered, series(), {0: 5.0}, as_of=70)
    assert registered.connection.execute("SELECT models, forecasts FROM published.corrections").fetchall() == [([], [1])]


def test_a_good_reading_releases_the_bad_row_it_replaces(registered: Store) -> None:
    key = registered.readings.key(series())
    bad = rejected_frame([("a spike", {"value": "9e9"}), ("no time", {"value": "1"})], pd.DatetimeIndex([at(1), pd.NaT], tz="UTC"))
    registered.ingests.clear_stage()
    registered.ingests.stage(key, Batch(Quantity.DEMAND, batch(values(0)).readings, bad))
    window = Window(at(0), at(10), at(10))
    assert registered.ingests.merge(series(), key, window, 3, states_known_at=False).quarantined == 2
    merge(registered, series(), values(0, 1), as_of=20)
    rows = registered.connection.execute("SELECT reason, released_by IS NULL FROM fortnight.quarantine ORDER BY reason").fetchall()
    assert rows == [("a spike", False), ("no time", True)]


def test_doubles_are_set_aside_when_they_differ_and_count_once_when_they_agree(registered: Store) -> None:
    key = registered.readings.key(series())
    registered.ingests.clear_stage()
    for part in (values(0, 1), {1: 2.0, 2: 3.0}, {2: 30.0, 3: 4.0}):
        registered.ingests.stage(key, batch(part))
    assert registered.ingests.set_aside_doubles(key) == 2
    added = registered.ingests.merge(series(), key, Window(at(0), at(10), at(10)), 6, states_known_at=False)
    assert (added.new, added.quarantined) == (3, 2)
    rows = registered.connection.execute("SELECT reason, raw->>'value', interval_start FROM fortnight.quarantine").fetchall()
    assert sorted(rows) == [("doubled with different values", "3", at(2)), ("doubled with different values", "30", at(2))]


def test_stated_times_are_kept_and_every_issue_can_be_asked_for(registered: Store) -> None:
    weather = series().companion(Quantity.TEMPERATURE_FORECAST)
    key = registered.readings.key(weather)

    def issue(moment: int, offset: float) -> int:
        starts = pd.DatetimeIndex([at(moment + n) for n in range(4)], tz="UTC")
        known = pd.DatetimeIndex([at(moment)] * 4, tz="UTC")
        frame = readings_frame(starts, np.arange(4) + offset, known)
        registered.ingests.clear_stage()
        registered.ingests.stage(key, Batch(weather.quantity, frame, rejected_frame()))
        return registered.ingests.merge(weather, key, Window(at(0), at(moment), at(moment)), 4, states_known_at=True).new

    assert [issue(2, 20), issue(1, 10), issue(2, 20)] == [4, 4, 0]
    assert registered.readings.as_of(weather, at(0)).empty
    assert registered.readings.as_of(weather, at(1))["value"].tolist() == [10, 11, 12, 13]
    assert registered.readings.as_of(weather, at(2))["value"].tolist() == [10, 20, 21, 22, 23]
    query = "SELECT quantity, value, known_at FROM published.weather_as_of(%s) ORDER BY interval_start"
    assert registered.connection.execute(query, (at(1),)).fetchall()[0] == ("temperature_forecast", 10.0, at(1))


def test_stated_versions_of_demand_are_corrections_of_each_other(registered: Store) -> None:
    key = registered.readings.key(series())
    starts = pd.DatetimeIndex([at(0), at(0), at(0), at(1)], tz="UTC")
    known = pd.DatetimeIndex([at(5), at(3), at(9), at(3)], tz="UTC")
    registered.ingests.clear_stage()
    frame = readings_frame(starts, np.array([20.0, 10.0, 20.0, 11.0]), known)
    registered.ingests.stage(key, Batch(Quantity.DEMAND, frame, rejected_frame()))
    added = registered.ingests.merge(series(), key, Window(at(0), at(10), at(10)), 4, states_known_at=True)
    assert (added.new, added.corrected) == (3, 1)
    assert [registered.readings.as_of(series(), at(moment))["value"].tolist() for moment in (2, 3, 5, 9)] == [
        [], [10.0, 11.0], [20.0, 11.0], [20.0, 11.0],
    ]  # fmt: skip
    query = "SELECT old_value, new_value, old_known_at, known_at FROM published.corrections"
    assert registered.connection.execute(query).fetchall() == [(10.0, 20.0, at(3), at(5))]


def test_a_rivals_forecast_of_the_future_is_known_from_the_run_that_saw_it(registered: Store) -> None:
    rival = series().companion(Quantity.DEMAND_FORECAST)
    merge(registered, rival, values(0, 30), as_of=10)
    query = "SELECT interval_start, value, known_at FROM published.demand_forecast_as_of(%s) ORDER BY interval_start"
    assert registered.connection.execute(query, (at(10),)).fetchall() == [(at(0), 1.0, at(1)), (at(30), 31.0, at(10))]


def test_a_refused_window_does_not_count_as_looked_for(registered: Store) -> None:
    key = registered.readings.key(series())
    registered.ingests.refuse(series(), key, Window(at(0), at(10), at(10)), "the feed was down")
    merge(registered, series(), values(0), as_of=20)
    assert registered.readings.as_of(series(), at(1))["value"].tolist() == [1.0], "nobody had looked for it in vain"


def test_gaps_are_told_oldest_first_and_within_bounds(registered: Store) -> None:
    merge(registered, series(), values(0, 3, 6, 9), as_of=20)
    found = registered.ingests.open_gaps(registered.readings.key(series()), at(3), at(7))
    assert found == [Gap(at(4), at(6)), Gap(at(7), at(9))][:1]


def test_a_merge_waits_for_another_of_the_same_series(registered: Store) -> None:
    """A backfill and a daily run bring the same readings at the same time: each reading is stored once."""
    rounds, errors = 15, []

    def work(offset: int) -> None:
        try:
            with Store(registered.dsn) as own:
                for number in range(rounds):
                    merge(own, series(), values(*range(number * 10, number * 10 + 20)), as_of=500 + 2 * number + offset)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    rows = registered.connection.execute("SELECT count(*), count(DISTINCT interval_start) FROM fortnight.reading").fetchone()
    assert rows == (rounds * 10 + 10, rounds * 10 + 10)
    orphans = "SELECT count(*) FROM fortnight.reading WHERE ingest_run_id NOT IN (SELECT ingest_run_id FROM fortnight.ingest_run)"
    assert registered.connection.execute(orphans).fetchone() == (0,)


def test_a_backfill_remembers_how_far_it_came(store: Store) -> None:
    stretch = ("vic", at(0), at(100))
    assert store.backfills.done_until(*stretch) is None
    store.backfills.note(*stretch, at(10))
    store.backfills.note(*stretch, at(20))
    assert store.backfills.done_until(*stretch) == at(20)
    store.backfills.forget(*stretch)
    assert store.backfills.done_until(*stretch) is None
