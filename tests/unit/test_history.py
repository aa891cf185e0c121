from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.errors import HistoryError
from forecasting.history import History, clock_history, clock_temperature, require_recent
from tests.unit.builders import clock_history_of, intervals, make_history, make_readings, make_series, noise_from, utc, weathered

SERIES = make_series()
DAY = timedelta(days=1)


def local_day(readings: pd.DataFrame) -> pd.Series:
    return readings["interval_start"].dt.tz_convert(SERIES.zone).dt.strftime("%F")


def without(readings: pd.DataFrame, *days: str) -> pd.DataFrame:
    return readings[~local_day(readings).isin(days)]


@pytest.mark.parametrize(("day", "energy"), [("2014-04-05", 96.0), ("2014-04-06", 100.0), ("2014-10-05", 92.0)])
def test_a_day_is_the_sum_of_its_half_hours(day: str, energy: float) -> None:
    history = clock_history(make_readings("2014-04-01", "2014-10-10", SERIES, value=2.0), SERIES)
    assert history.energy_mwh[history.days == day].tolist() == [energy]


def test_days_are_consecutive_and_none_is_filled() -> None:
    history = clock_history(make_readings("2014-03-20", "2014-04-20", SERIES), SERIES)
    pd.testing.assert_index_equal(history.days, pd.date_range("2014-03-20", "2014-04-20"), check_names=False, exact="equiv")
    assert len(history) == 32
    assert not history.filled.any()


def test_sums_agree_with_a_plain_loop() -> None:
    readings = make_readings("2014-03-30", "2014-04-12", SERIES)
    history = clock_history(readings, SERIES)
    by_hand: dict[str, float] = {}
    for day, value in zip(local_day(readings), readings["value"], strict=True):
        by_hand[day] = by_hand.get(day, 0.0) + value
    assert dict(zip(history.days.strftime("%F"), history.energy_mwh, strict=True)) == pytest.approx(by_hand)


def test_partial_first_and_last_days_are_dropped() -> None:
    readings = make_readings("2014-02-01", "2014-02-12", SERIES)
    history = clock_history(readings.iloc[1:-1], SERIES)
    assert [history.days[0], history.days[-1]] == [pd.Timestamp("2014-02-02"), pd.Timestamp("2014-02-11")]


def test_a_short_hole_is_drawn_straight_and_the_day_still_counts_as_read() -> None:
    readings = make_readings("2014-02-01", "2014-02-20", SERIES)
    whole = clock_history(readings, SERIES)
    hole = readings.index[local_day(readings) == "2014-02-10"][17:20]
    history = clock_history(readings.drop(index=hole), SERIES)
    assert not history.filled.any()
    assert history.energy_mwh == pytest.approx(whole.energy_mwh, rel=1e-2)


def test_a_longer_hole_takes_the_readings_of_a_week_before_and_the_day_is_filled() -> None:
    readings = make_readings("2014-02-01", "2014-02-20", SERIES)
    day = readings.index[local_day(readings) == "2014-02-10"]
    week_before = readings.index[local_day(readings) == "2014-02-03"]
    history = clock_history(readings.drop(index=day[10:20]), SERIES)
    assert history.days[history.filled].strftime("%F").tolist() == ["2014-02-10"]
    kept, taken = readings["value"][day.difference(day[10:20])], readings["value"][week_before[10:20]]
    assert history.energy_mwh[history.filled] == pytest.approx(kept.sum() + taken.sum())


def test_a_hole_longer_than_a_week_repeats_the_last_week_before_it() -> None:
    missing = pd.date_range("2014-02-08", "2014-02-18")
    history = clock_history(without(make_readings("2014-02-01", "2014-02-25", SERIES), *missing.strftime("%F")), SERIES)
    assert history.days[history.filled].equals(missing)
    np.testing.assert_array_equal(history.demand_mwh[7:18], np.tile(history.demand_mwh[:7], (2, 1))[:11])
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
    history = clock_history(readings, SERIES)
    assert history.days.equals(pd.date_range(f"2014-{begins}", f"2014-{last}"))
    assert history.days[history.filled].strftime("%m-%d").tolist() == filled
    assert len(history.energy_mwh) == len(history.filled) == len(history.days)
    assert history.energy_mwh.min() > 0


def test_no_readings_is_a_history_error() -> None:
    with pytest.raises(HistoryError, match="no readings"):
        clock_history(make_readings("2014-02-01", "2014-02-01", SERIES).iloc[:0], SERIES)


def test_no_complete_day_is_a_history_error() -> None:
    with pytest.raises(HistoryError, match="no complete local day among its 47 readings"):
        clock_history(make_readings("2014-02-01", "2014-02-01", SERIES).iloc[1:], SERIES)


@pytest.mark.parametrize("minutes", [5, 60, 120, 1440])
def test_complete_readings_of_any_interval_leave_no_hole(minutes: int) -> None:
    series = make_series(minutes=minutes)
    starts = pd.date_range("2014-09-10", "2014-10-20", freq=series.interval, tz="UTC")  # a clock change in between
    history = clock_history(pd.DataFrame({"interval_start": starts, "value": 1.0}), series)
    assert history.days[history.filled].strftime("%F").tolist() == []


def test_origin_is_the_local_midnight_after_the_last_day() -> None:
    assert make_history(np.ones(5), first="2014-04-02").origin == utc("2014-04-06 14:00")
    assert make_history(np.ones(4), first="2014-04-02").origin == utc("2014-04-05 13:00")


def test_the_same_readings_in_any_order_have_the_same_fingerprint() -> None:
    readings = make_readings("2014-02-01", "2014-03-15", SERIES)
    shuffled = [readings.sample(frac=1, random_state=seed) for seed in range(5)]
    assert {clock_history(frame, SERIES).fingerprint for frame in shuffled} == {clock_history(readings, SERIES).fingerprint}


@pytest.mark.parametrize("position", [0, 13, 29])
def test_the_fingerprint_changes_with_the_least_change_of_a_value(position: int) -> None:
    demand = np.linspace(90_000, 110_000, 30 * 48).reshape(30, 48)
    changed = demand.copy()
    changed[position, position] = np.nextafter(changed[position, position], np.inf)
    assert clock_history_of(changed).fingerprint != clock_history_of(demand).fingerprint


def test_the_fingerprint_tells_series_days_and_filling_apart() -> None:
    energy = np.linspace(90_000, 110_000, 30)
    different = (
        make_history(energy),
        make_history(energy, first="2012-01-02"),
        make_history(energy, filled=[20]),
        make_history(energy, series=make_series("other")),
        make_history(energy).before(29),
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


ZONES = ("Australia/Melbourne", "Australia/Lord_Howe", "America/Havana", "Europe/Berlin", "Asia/Kathmandu", "UTC")
AROUND_A_CHANGE = (
    ("Australia/Melbourne", "2014-04-06", 25),
    ("Australia/Melbourne", "2014-10-05", 23),
    ("Australia/Lord_Howe", "2014-04-06", 24.5),
    ("Australia/Lord_Howe", "2014-10-05", 23.5),
    ("America/Havana", "2014-03-09", 23),  # its midnight does not exist
    ("America/Havana", "2014-11-02", 25),  # it has two
    ("Europe/Berlin", "2014-03-30", 23),
    ("Europe/Berlin", "2014-10-26", 25),
    ("UTC", "2014-10-26", 24),
)


def summed(readings: pd.DataFrame, zone: ZoneInfo) -> dict[str, float]:
    """The energy of each local day, by a plain loop."""
    found: dict[str, float] = {}
    for start, value in zip(readings["interval_start"], readings["value"], strict=True):
        day = f"{start.to_pydatetime().astimezone(zone):%F}"
        found[day] = found.get(day, 0.0) + value
    return found


@pytest.mark.parametrize(("zone", "day", "hours"), AROUND_A_CHANGE)
def test_the_energy_of_a_day_around_a_clock_change_is_exact(zone: str, day: str, hours: float) -> None:
    series = make_series(zone=zone)
    middle = pd.Timestamp(day)
    readings = make_readings(f"{middle - 3 * DAY:%F}", f"{middle + 3 * DAY:%F}", series)
    history = clock_history(readings, series)
    assert dict(zip(history.days.strftime("%F"), history.energy_mwh, strict=True)) == pytest.approx(
        summed(readings, series.zone), rel=1e-12
    )
    assert history.weights.sum(axis=1).tolist() == [48, 48, 48, 2 * hours, 48, 48, 48]
    assert history.start_of(4) - history.start_of(3) == timedelta(hours=hours)


@given(
    zone=st.sampled_from(ZONES),
    minutes=st.sampled_from([15, 30, 60, 180, 1440]),
    first=st.dates(date(2010, 1, 1), date(2026, 1, 1)),
    length=st.integers(2, 9),
    seed=st.integers(0, 99),
)
@example(zone="Australia/Lord_Howe", minutes=60, first=date(2014, 4, 4), length=4, seed=0)
@example(zone="America/Havana", minutes=180, first=date(2014, 11, 1), length=4, seed=0)
@settings(max_examples=150, deadline=None)
def test_the_energy_of_any_day_is_a_plain_sum(zone: str, minutes: int, first: date, length: int, seed: int) -> None:
    series = make_series(zone=zone, minutes=minutes)
    anchor = calendar.grid_anchor(series.zone, series.interval)
    begin, end = calendar.day_start(first, series.zone), calendar.day_start(first + length * DAY, series.zone)
    starts = pd.date_range(
        anchor - (anchor - begin) // series.interval * series.interval, end, freq=series.interval, inclusive="left"
    )
    readings = pd.DataFrame({"interval_start": starts, "value": np.random.default_rng(seed).uniform(-100, 5000, len(starts))})
    history = clock_history(readings, series)
    by_hand = summed(readings, series.zone)
    assert [f"{day:%F}" for day in history.days] == [day for day in by_hand if f"{first}" <= day]
    np.testing.assert_allclose(history.energy_mwh, [by_hand[f"{day:%F}"] for day in history.days], rtol=1e-12)
    assert np.isfinite(history.demand_mwh).all()


def test_a_skipped_slot_lies_between_its_neighbours_and_a_doubled_one_is_the_mean() -> None:
    readings = make_readings("2014-04-01", "2014-10-10", SERIES)
    history = clock_history(readings, SERIES)
    doubled = history.demand_mwh[history.days == "2014-04-06"][0]
    values = readings["value"][local_day(readings) == "2014-04-06"].to_numpy()
    np.testing.assert_allclose(doubled[:8], [*values[:4], (values[4] + values[6]) / 2, (values[5] + values[7]) / 2, *values[8:10]])
    skipped = history.demand_mwh[history.days == "2014-10-05"][0]
    values = readings["value"][local_day(readings) == "2014-10-05"].to_numpy()
    straight = np.interp([1, 2], [0, 3], values[3:5])
    np.testing.assert_allclose(skipped[:8], [*values[:4], *straight, *values[4:6]])
    assert history.weights[history.days == "2014-10-05"][0, 3:7].tolist() == [1, 0, 0, 1]


def test_constant_power_is_constant_on_the_clock() -> None:
    for zone, day, _ in AROUND_A_CHANGE:
        series, middle = make_series(zone=zone), pd.Timestamp(day)
        history = clock_history(make_readings(f"{middle - DAY:%F}", f"{middle + DAY:%F}", series, value=3.0), series)
        assert np.unique(history.demand_mwh).tolist() == [3.0]


def weather(starts: pd.DatetimeIndex, celsius: np.ndarray | float) -> pd.DataFrame:
    return pd.DataFrame({"interval_start": starts, "value": celsius})


def test_hourly_weather_lies_beside_half_hourly_demand() -> None:
    hourly = intervals("2014-04-04", "2014-04-09", make_series(minutes=60))
    celsius = np.random.default_rng(0).normal(15, 5, len(hourly))
    history = clock_history(make_readings("2014-04-05", "2014-04-08", SERIES), SERIES, weather(hourly, celsius))
    assert history.temperature_c is not None
    assert history.temperature_c.shape == history.demand_mwh.shape
    here = hourly.tz_convert(SERIES.zone).strftime("%F") == "2014-04-08"
    np.testing.assert_allclose(history.temperature_c[-1, ::2], celsius[here])
    np.testing.assert_allclose(history.temperature_c[-1, 1:-1:2], (celsius[here][1:] + celsius[here][:-1]) / 2)
    doubled = celsius[hourly.tz_convert(SERIES.zone).strftime("%F") == "2014-04-06"]
    assert history.temperature_c[1, 4] == pytest.approx(doubled[2:4].mean())


def test_finer_weather_is_read_at_the_start_of_each_interval() -> None:
    fine = intervals("2014-02-01", "2014-02-03", make_series(minutes=10))
    celsius = np.random.default_rng(0).normal(15, 5, len(fine))
    history = clock_history(make_readings("2014-02-01", "2014-02-03", SERIES), SERIES, weather(fine, celsius))
    assert history.temperature_c is not None
    np.testing.assert_allclose(history.temperature_c.ravel(), celsius[::3])


@pytest.mark.parametrize(("hours", "bridged"), [(5, True), (6, True), (7, False), (40, False)])
def test_a_hole_of_more_than_six_hours_in_the_weather_stays_one(hours: int, bridged: bool) -> None:
    hourly = intervals("2014-02-01", "2014-02-05", make_series(minutes=60))
    celsius = np.arange(len(hourly), dtype=float)
    known = np.r_[0:31, 30 + hours : len(hourly)]  # 06:00 of the second day, and the next reading so many hours later
    days = pd.date_range("2014-02-01", "2014-02-05")
    found = clock_temperature(weather(hourly[known], celsius[known]), SERIES, days).ravel()[: 2 * len(hourly) - 1]
    hole = np.arange(61, 2 * (30 + hours))
    assert np.isnan(found[hole]).all() == (not bridged)
    outside = np.setdiff1d(np.arange(len(found)), [] if bridged else hole)
    np.testing.assert_allclose(found[outside], outside / 2)


def test_weather_is_unknown_before_its_first_reading_and_an_hour_after_its_last() -> None:
    days = pd.date_range("2014-02-01", "2014-02-03")
    found = clock_temperature(weather(intervals("2014-02-02", "2014-02-02", make_series(minutes=60)), 20.0), SERIES, days)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [20.0] * 48
    assert found[2, 0] == 20.0
    assert np.isnan(found[2, 1:]).all()


def test_a_temperature_that_is_not_a_number_is_a_hole() -> None:
    starts = intervals("2014-02-01", "2014-02-01", SERIES)
    celsius = np.full(48, 10.0)
    celsius[[3, 4]] = np.nan
    found = clock_temperature(weather(starts, celsius), SERIES, pd.DatetimeIndex(["2014-02-01"]))
    assert found.tolist() == [[10.0] * 48]


@pytest.mark.parametrize("temperature", [None, weather(pd.DatetimeIndex([], tz="UTC"), np.array([]))])
def test_without_weather_there_is_no_temperature(temperature: pd.DataFrame | None) -> None:
    assert clock_history(make_readings("2014-02-01", "2014-02-03", SERIES), SERIES, temperature).temperature_c is None


@pytest.mark.parametrize("position", [1, 17, 30])
def test_before_a_day_nothing_later_is_known_but_the_outlook_issued_then(position: int) -> None:
    history = weathered(30, outlooks=(10, 17, 18, 30))
    known = history.before(position)
    assert len(known) == len(known.demand_mwh) == len(known.weights) == len(known.filled) == position
    assert known.temperature_c is not None
    assert len(known.temperature_c) == position
    assert sorted(known.outlooks_c) == [at for at in (10, 17, 18, 30) if at <= position]
    assert known.origin == history.start_of(position)
    assert known.fingerprint == noise_from(history, position).before(position).fingerprint
    assert position == 1 or known.fingerprint != noise_from(history, position - 1).before(position).fingerprint


def test_the_fingerprint_changes_with_temperature_and_outlook() -> None:
    history = weathered(30, outlooks=(29, 30))
    assert history.temperature_c is not None
    different = (
        history,
        replace(history, temperature_c=None),
        replace(history, temperature_c=np.nextafter(history.temperature_c, np.inf)),
        replace(history, outlooks_c={}),
        replace(history, outlooks_c={29: history.outlooks_c[29]}),
        replace(history, outlooks_c={29: history.outlooks_c[30], 30: history.outlooks_c[29]}),
        replace(history, outlooks_c={30: history.outlooks_c[30], 28: history.outlooks_c[29]}),
    )
    assert len({each.fingerprint for each in different}) == len(different)
    turned = dict(reversed(history.outlooks_c.items()))
    assert replace(history, outlooks_c=turned).fingerprint == history.fingerprint


def test_days_start_where_the_local_clock_says() -> None:
    history = make_history(np.ones(5), first="2014-04-04")
    assert history.start_of(0) == utc("2014-04-03 13:00")
    assert history.start_of(3) == history.start_of(-2) == utc("2014-04-06 14:00")
    assert history.start_of(9) == utc("2014-04-12 14:00")
    assert history.days_and_after(2).strftime("%F").tolist()[-3:] == ["2014-04-08", "2014-04-09", "2014-04-10"]


def test_weights_go_on_after_the_last_day() -> None:
    history = make_history(np.ones(5), first="2014-10-01")
    assert history.weights_and_after(2).sum(axis=1).tolist() == [48, 48, 48, 48, 46, 48, 48]
    before = make_history(np.ones(2), first="2014-10-01")
    np.testing.assert_array_equal(before.weights_and_after(5), history.weights_and_after(2))
