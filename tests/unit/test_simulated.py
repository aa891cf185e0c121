from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.domain import Quantity, Series
from forecasting.frames import checked
from forecasting.sources.simulated import SimulatedSource
from tests.unit.builders import make_series, utc

SERIES = make_series("simulated", simulated=True)
GOLDEN_DEMAND = [2025.04, 2041.045, 2044.672]
GOLDEN_TEMPERATURE = [22.88, 23.37, 23.82]


def read(since: datetime, until: datetime, series: Series = SERIES, **options: float) -> pd.DataFrame:
    """All quantities, one column each, by interval start."""
    batches = list(SimulatedSource(**options).read(series, since, until))
    return pd.DataFrame({batch.quantity: batch.readings.set_index("interval_start")["value"] for batch in batches})


def days(first: str, last: str, series: Series = SERIES, **options: float) -> pd.DataFrame:
    """Local days, with the local time as index."""
    start = calendar.day_start(date.fromisoformat(first), series.zone)
    end = calendar.day_bounds(date.fromisoformat(last), series.zone)[1]
    found = read(start, end, series, **options)
    return found.set_index(found.index.tz_convert(series.zone))


@pytest.fixture(scope="module")
def years() -> pd.DataFrame:
    return days("2012-01-01", "2014-12-31")


def test_the_first_values_of_seed_0_are_what_they_always_were() -> None:
    found = read(utc("2014-01-01 00:00"), utc("2014-01-01 01:30"), seed=0)
    assert found[Quantity.DEMAND].round(3).tolist() == GOLDEN_DEMAND
    assert found[Quantity.TEMPERATURE].round(3).tolist() == GOLDEN_TEMPERATURE
    assert found[Quantity.HOLIDAY].tolist() == [1, 1, 1]


@given(skip=st.integers(0, 400), length=st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_a_value_does_not_depend_on_the_stretch_asked_for(skip: int, length: int) -> None:
    whole = read(utc("2014-03-30 00:00"), utc("2014-04-17 00:00"))
    since = utc("2014-03-30 00:00") + skip * SERIES.interval
    stretch = read(since, since + length * SERIES.interval)
    pd.testing.assert_frame_equal(stretch, whole.iloc[skip : skip + length], check_freq=False)


@pytest.mark.parametrize(("other", "options"), [(SERIES, {"seed": 1}), (make_series("simulated-north", simulated=True), {})])
def test_values_differ_by_seed_and_by_series(other: Series, options: dict[str, float]) -> None:
    since, until = utc("2014-01-01 00:00"), utc("2014-02-01 00:00")
    here, there = read(since, until)[Quantity.DEMAND], read(since, until, other, **options)[Quantity.DEMAND]
    assert (here != there).mean() > 0.99


def test_only_whole_intervals_inside_the_window_are_given() -> None:
    found = read(utc("2014-01-01 00:10"), utc("2014-01-01 02:10"))
    assert found.index.strftime("%R").tolist() == ["00:30", "01:00", "01:30"]
    assert list(SimulatedSource().read(SERIES, utc("2014-01-01 00:10"), utc("2014-01-01 00:50"))) == []


@pytest.mark.parametrize(("day", "rows"), [("2014-04-05", 48), ("2014-04-06", 50), ("2014-10-05", 46)])
def test_a_day_has_the_rows_of_its_length(day: str, rows: int) -> None:
    assert len(days(day, day)) == rows


@pytest.mark.parametrize("minutes", [5, 60, 1440])
def test_any_interval_can_be_simulated(minutes: int) -> None:
    series = make_series("simulated", minutes=minutes, simulated=True)
    found = read(utc("2014-02-01 00:00"), utc("2014-03-01 00:00"), series)
    assert len(found) == 28 * 1440 // minutes
    daily = found[Quantity.DEMAND].sum() / 28
    assert daily == pytest.approx(24 * 4700, rel=0.25)


def test_no_reading_breaks_the_contract(years: pd.DataFrame) -> None:
    for batch in SimulatedSource().read(SERIES, utc("2012-01-01 00:00"), utc("2015-01-01 00:00")):
        found = checked(batch, SERIES.companion(batch.quantity), utc("2015-01-01 00:00"))
        assert len(found.rejected) == 0
        assert len(found.readings) == len(batch.readings)
    assert years[Quantity.DEMAND].min() > 0


def daily_demand(years: pd.DataFrame) -> pd.Series:
    demand = years[Quantity.DEMAND]
    return demand.groupby(demand.index.date).mean()


def test_weekends_are_lower_than_weekdays(years: pd.DataFrame) -> None:
    demand = daily_demand(years)
    weekday = pd.DatetimeIndex(demand.index).day_of_week
    working, saturday, sunday = (demand[mask].mean() for mask in (weekday < 5, weekday == 5, weekday == 6))
    assert sunday < saturday < working
    assert sunday < 0.9 * working


def test_a_holiday_is_lower_than_the_same_weekday_a_week_before_and_after(years: pd.DataFrame) -> None:
    demand, flags = daily_demand(years), years[Quantity.HOLIDAY].groupby(years.index.date).first()
    week = timedelta(days=7)
    pairs = [
        (demand[day], (demand[day - week] + demand[day + week]) / 2)
        for day in flags.index[flags == 1]
        if day.weekday() < 5 and flags.get(day - week) == 0 and flags.get(day + week) == 0
    ]
    assert len(pairs) > 10
    assert np.mean([holiday / ordinary for holiday, ordinary in pairs]) < 0.93


def test_holidays_are_those_of_the_region(years: pd.DataFrame) -> None:
    flags = years[Quantity.HOLIDAY].groupby(years.index.date).agg(["min", "max"])
    assert (flags["min"] == flags["max"]).all()  # whole local days
    assert {day for day in flags.index[flags["min"] == 1] if day.year == 2014} == {
        day for day in calendar.public_holidays("AU-VIC", (2014,)) if day.year == 2014
    }


def test_cold_and_heat_both_cost_energy(years: pd.DataFrame) -> None:
    noons = years[(years.index.hour == 13) & (years.index.day_of_week < 5) & (years[Quantity.HOLIDAY] == 0)]
    demand, temperature = noons[Quantity.DEMAND], noons[Quantity.TEMPERATURE]
    cold, mild, hot = (demand[temperature.between(low, high)].mean() for low, high in ((-50, 11), (17, 21), (28, 60)))
    assert mild < 0.97 * cold
    assert mild < 0.97 * hot


def test_summers_are_warm_and_afternoons_too(years: pd.DataFrame) -> None:
    temperature = years[Quantity.TEMPERATURE]
    assert temperature[temperature.index.month == 1].mean() > temperature[temperature.index.month == 7].mean() + 8
    assert temperature[temperature.index.hour == 15].mean() > temperature[temperature.index.hour == 4].mean() + 5
