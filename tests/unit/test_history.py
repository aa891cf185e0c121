from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.errors import HistoryError
from forecasting.history import History, daily_history, require_recent
from tests.unit.builders import first_days, make_history, make_readings, make_series, utc

SERIES = make_series()
DAY = timedelta(days=1)


def local_day(readings: pd.DataFrame) -> pd.Series:
    return readings["interval_start"].dt.tz_convert(SERIES.zone).dt.strftime("%F")


def without(readings: pd.DataFrame, *days: str) -> pd.DataFrame:
    return readings[~local_day(readings).isin(days)]


@pytest.mark.parametrize(("day", "energy"), [("2014-04-05", 96.0), ("2014-04-06", 100.0), ("2014-10-05", 92.0)])
def test_a_day_is_the_sum_of_its_half_hours(day: str, energy: float) -> None:
    history = daily_history(make_readings("2014-04-01", "2014-10-10", SERIES, value=2.0), SERIES)
    assert history.energy_mwh[history.days == day].tolist() == [energy]


def test_days_are_consecutive_and_none_is_filled() -> None:
    history = daily_history(make_readings("2014-03-20", "2014-04-20", SERIES), SERIES)
    pd.testing.assert_index_equal(history.days, pd.date_range("2014-03-20", "2014-04-20"), check_names=False, exact="equiv")
    assert len(history) == 32
    assert not history.filled.any()


def test_sums_agree_with_a_plain_loop() -> None:
    readings = make_readings("2014-03-30", "2014-04-12", SERIES)
    history = daily_history(readings, SERIES)
    by_hand: dict[str, float] = {}
    for day, value in zip(local_day(readings), readings["value"], strict=True):
        by_hand[day] = by_hand.get(day, 0.0) + value
    assert dict(zip(history.days.strftime("%F"), history.energy_mwh, strict=True)) == pytest.approx(by_hand)


def test_partial_first_and_last_days_are_dropped() -> None:
    readings = make_readings("2014-02-01", "2014-02-12", SERIES)
    history = daily_history(readings.iloc[1:-1], SERIES)
    assert [history.days[0], history.days[-1]] == [pd.Timestamp("2014-02-02"), pd.Timestamp("2014-02-11")]


def test_a_short_hole_is_drawn_straight_and_the_day_still_counts_as_read() -> None:
    readings = make_readings("2014-02-01", "2014-02-20", SERIES)
    whole = daily_history(readings, SERIES)
    hole = readings.index[local_day(readings) == "2014-02-10"][17:20]
    history = daily_history(readings.drop(index=hole), SERIES)
    assert not history.filled.any()
    assert history.energy_mwh == pytest.approx(whole.energy_mwh, rel=1e-2)


def test_a_longer_hole_takes_the_readings_of_a_week_before_and_the_day_is_filled() -> None:
    readings = make_readings("2014-02-01", "2014-02-20", SERIES)
    day = readings.index[local_day(readings) == "2014-02-10"]
    week_before = readings.index[local_day(readings) == "2014-02-03"]
    history = daily_history(readings.drop(index=day[10:20]), SERIES)
    assert history.days[history.filled].strftime("%F").tolist() == ["2014-02-10"]
    kept, taken = readings["value"][day.difference(day[10:20])], readings["value"][week_before[10:20]]
    assert history.energy_mwh[history.filled] == pytest.approx(kept.sum() + taken.sum())


def test_a_hole_longer_than_a_week_repeats_the_last_week_before_it() -> None:
    missing = pd.date_range("2014-02-08", "2014-02-18")
    history = daily_history(without(make_readings("2014-02-01", "2014-02-25", SERIES), *missing.strftime("%F")), SERIES)
    assert history.days[history.filled].equals(missing)
    np.testing.assert_array_equal(history.energy_mwh[7:18], np.tile(history.energy_mwh[:7], 2)[:11])
    assert history.energy_mwh.min() > 0


@pytest.mark.parametrize(
    ("missing", "last", "begins", "filled"),
    [
        (["02-02"], "02-20", "02-03", []),
        (["02-02"], "02-03", "02-03", []),
        (["02-02", "02-06"], "02-20", "02-07", []),
        (["02-02", "02-10"], "02-20", "02-03", ["02-10"]),
        (["02-07"], "02-20", "02-08", []),
        (["02-08"], "02-20", "02-01", ["02-08"]),  # a full week lies before it
    ],
)
def test_a_history_begins_after_a_hole_that_has_no_week_before_it(
    missing: list[str], last: str, begins: str, filled: list[str]
) -> None:
    readings = without(make_readings("2014-02-01", f"2014-{last}", SERIES), *(f"2014-{day}" for day in missing))
    history = daily_history(readings, SERIES)
    assert history.days.equals(pd.date_range(f"2014-{begins}", f"2014-{last}"))
    assert history.days[history.filled].strftime("%m-%d").tolist() == filled
    assert len(history.energy_mwh) == len(history.filled) == len(history.days)
    assert history.energy_mwh.min() > 0


def test_no_readings_is_a_history_error() -> None:
    with pytest.raises(HistoryError, match="no readings"):
        daily_history(make_readings("2014-02-01", "2014-02-01", SERIES).iloc[:0], SERIES)


def test_no_complete_day_is_a_history_error() -> None:
    with pytest.raises(HistoryError, match="no complete local day among its 47 readings"):
        daily_history(make_readings("2014-02-01", "2014-02-01", SERIES).iloc[1:], SERIES)


@pytest.mark.parametrize("minutes", [5, 60, 120, 1440])
def test_complete_readings_of_any_interval_leave_no_hole(minutes: int) -> None:
    series = make_series(minutes=minutes)
    starts = pd.date_range("2014-09-10", "2014-10-20", freq=series.interval, tz="UTC")  # a clock change in between
    history = daily_history(pd.DataFrame({"interval_start": starts, "value": 1.0}), series)
    assert history.days[history.filled].strftime("%F").tolist() == []


def test_origin_is_the_local_midnight_after_the_last_day() -> None:
    assert make_history(np.ones(5), first="2014-04-02").origin == utc("2014-04-06 14:00")
    assert make_history(np.ones(4), first="2014-04-02").origin == utc("2014-04-05 13:00")


def test_the_same_readings_in_any_order_have_the_same_fingerprint() -> None:
    readings = make_readings("2014-02-01", "2014-03-15", SERIES)
    shuffled = [readings.sample(frac=1, random_state=seed) for seed in range(5)]
    assert {daily_history(frame, SERIES).fingerprint for frame in shuffled} == {daily_history(readings, SERIES).fingerprint}


@pytest.mark.parametrize("position", [0, 13, 29])
def test_the_fingerprint_changes_with_the_least_change_of_a_value(position: int) -> None:
    energy = np.linspace(90_000, 110_000, 30)
    changed = energy.copy()
    changed[position] = np.nextafter(changed[position], np.inf)
    assert make_history(changed).fingerprint != make_history(energy).fingerprint


def test_the_fingerprint_tells_series_days_and_filling_apart() -> None:
    energy = np.linspace(90_000, 110_000, 30)
    different = (
        make_history(energy),
        make_history(energy, first="2012-01-02"),
        make_history(energy, filled=[20]),
        make_history(energy, series=make_series("other")),
        first_days(make_history(energy), 29),
    )
    assert len({history.fingerprint for history in different}) == len(different)


def history_of(days: int = 60, filled: tuple[int, ...] = ()) -> History:
    return make_history(np.full(days, 100.0), first="2014-01-01", filled=filled)


def test_a_fresh_history_is_recent_enough() -> None:
    history = history_of()
    require_recent(history, history.origin, past_days=14, horizon_days=14)


def test_a_history_is_stale_when_its_whole_forecast_would_lie_in_the_past() -> None:
    history = history_of()
    require_recent(history, history.origin + 14 * DAY - timedelta(minutes=1), past_days=14, horizon_days=14)
    with pytest.raises(HistoryError, match=r"newest complete day of series test is 2014-03-01.*--as-of 2014-03-02"):
        require_recent(history, history.origin + 14 * DAY, past_days=14, horizon_days=14)


def test_a_history_with_too_many_filled_inputs_is_refused() -> None:
    require_recent(history_of(filled=(50, 55)), history_of().origin, past_days=14, horizon_days=14)
    with pytest.raises(HistoryError, match="3 of the last 14 days of series test are incomplete"):
        require_recent(history_of(filled=(50, 55, 59)), history_of().origin, past_days=14, horizon_days=14)


def test_old_holes_do_not_matter() -> None:
    require_recent(history_of(filled=tuple(range(10, 46))), history_of().origin, past_days=14, horizon_days=14)


def test_a_history_shorter_than_the_inputs_is_refused() -> None:
    history = history_of(days=13)
    with pytest.raises(HistoryError, match="test"):
        require_recent(history, history.origin, past_days=14, horizon_days=14)


def test_a_region_moved_is_another_history() -> None:
    """Models see holidays through it: the same energy elsewhere is not the same input."""
    here = make_history(np.arange(1.0, 30.0))
    there = replace(here, series=replace(here.series, region="DE"))
    assert here.fingerprint != there.fingerprint
