from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from forecasting import calendar
from forecasting.domain import Quantity, Series
from forecasting.frames import CHUNK_ROWS
from forecasting.sources.simulated import SimulatedSource, SimulatedWeather
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

WEB = Web()
MEASURED = (Quantity.DEMAND, Quantity.TEMPERATURE, Quantity.HOLIDAY)
SERIES = make_series("simulated", simulated=True)
GOLDEN_DEMAND = [2025.04, 2041.045, 2044.672]
GOLDEN_TEMPERATURE = [22.88, 23.37, 23.82]


def read(since: datetime, until: datetime, series: Series = SERIES, **options: float) -> pd.DataFrame:
    """All quantities, one column each, by interval start."""
    batches = list(SimulatedSource(WEB, **options).read(series, since, until))
    parts = {q: [batch.readings.set_index("interval_start")["value"] for batch in batches if batch.quantity is q] for q in MEASURED}
    return pd.DataFrame({quantity: pd.concat(found) for quantity, found in parts.items()})


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
    assert list(SimulatedSource(WEB).read(SERIES, utc("2014-01-01 00:10"), utc("2014-01-01 00:50"))) == []


@pytest.mark.parametrize(("day", "rows"), [("2014-04-05", 48), ("2014-04-06", 50), ("2014-10-05", 46)])
def test_a_day_has_the_rows_of_its_length(day: str, rows: int) -> None:
    assert len(days(day, day)) == rows


@pytest.mark.parametrize("minutes", [5, 60, 1440])
def test_any_interval_can_be_simulated(minutes: int) -> None:
    series = make_series("simulated", minutes=minutes, simulated=True)
    found = read(utc("2014-01-31 14:00"), utc("2014-02-28 14:00"), series)
    assert len(found) == 28 * 1440 // minutes
    daily = found[Quantity.DEMAND].sum() / 28
    assert daily == pytest.approx(24 * 4700, rel=0.25)


def test_every_reading_is_possible_and_on_the_grid(years: pd.DataFrame) -> None:
    assert len(years) == 2 * 24 * (365 + 366 + 365) == years.index.nunique()
    assert np.isfinite(years).all(axis=None)
    assert (years.index.minute % 30 == 0).all()
    assert years[Quantity.DEMAND].min() > 0
    assert years[Quantity.TEMPERATURE].between(-20, 50).all()


def test_hourly_readings_of_india_start_at_half_past_in_utc() -> None:
    series = make_series("simulated", zone="Asia/Kolkata", region="IN", minutes=60, simulated=True)
    found = read(utc("2014-01-01 00:00"), utc("2014-01-01 03:00"), series)
    assert found.index.strftime("%R").tolist() == ["00:30", "01:30"]


def test_a_long_stretch_comes_in_batches_of_bounded_size() -> None:
    minutes = make_series("simulated", minutes=1, simulated=True)
    batches = list(SimulatedSource(WEB).read(minutes, utc("2014-01-01 00:00"), utc("2014-04-01 00:00")))
    assert max(batch.rows for batch in batches) <= CHUNK_ROWS
    starts = pd.concat([batch.readings for batch in batches if batch.quantity is Quantity.DEMAND])["interval_start"]
    assert starts.tolist() == pd.date_range("2014-01-01", "2014-04-01", freq="1min", inclusive="left", tz="UTC").tolist()


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


def read_weather(since: datetime, until: datetime, minutes: int = 60, **options: float) -> dict[Quantity, pd.DataFrame]:
    """Readings frames by quantity, of the temperature beside SERIES on a grid of its own."""
    series = replace(SERIES.companion(Quantity.TEMPERATURE), interval=timedelta(minutes=minutes))
    batches = list(SimulatedWeather(WEB, **options).read(series, since, until))
    found = {batch.quantity for batch in batches}
    return {kind: pd.concat([batch.readings for batch in batches if batch.quantity is kind]) for kind in found}


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_the_weather_is_the_one_that_the_demand_answers_to(minutes: int) -> None:
    since, until = utc("2014-03-20 00:00"), utc("2014-04-20 00:00")
    felt = read(since, until, seed=3)[Quantity.TEMPERATURE]
    found = read_weather(since, until, minutes, seed=3)[Quantity.TEMPERATURE].set_index("interval_start")["value"]
    assert len(found) == 31 * 1440 // minutes
    both = felt.index.intersection(found.index)
    assert len(both) == 31 * 1440 // max(minutes, 30)
    assert (felt[both] == found[both]).all()


def test_each_read_issues_one_forecast_for_14_days() -> None:
    issued = utc("2014-03-30 13:10")
    forecast = read_weather(issued - timedelta(days=1), issued)[Quantity.TEMPERATURE_FORECAST]
    assert (forecast["known_at"] == issued).all()
    assert (
        forecast["interval_start"].tolist() == pd.date_range("2014-03-30 14:00", periods=14 * 24 - 1, freq="h", tz="UTC").tolist()
    )
    again = read_weather(issued - timedelta(days=30), issued)[Quantity.TEMPERATURE_FORECAST]
    pd.testing.assert_frame_equal(forecast, again)
    later = read_weather(issued, issued + timedelta(hours=1))[Quantity.TEMPERATURE_FORECAST]
    assert (forecast["value"].to_numpy()[1:24] != later["value"].to_numpy()[:23]).any()


def test_a_forecast_is_as_good_as_it_says_and_loses_its_skill_with_lead() -> None:
    first, last = utc("2012-01-01 00:00"), utc("2014-01-01 00:00")
    truth = read_weather(first, last + timedelta(days=15))[Quantity.TEMPERATURE].set_index("interval_start")["value"]
    errors, anomalies = [], []
    for number in range(0, 730, 2):
        issued = first + timedelta(days=number)
        forecast = read_weather(issued, issued)[Quantity.TEMPERATURE_FORECAST].set_index("interval_start")["value"]
        errors.append((forecast - truth[forecast.index]).to_numpy())
        anomalies.append(forecast.to_numpy()[-24:] - truth[forecast.index].to_numpy()[-24:])
    daily = np.square(errors).reshape(len(errors), 14, 24).mean(axis=(0, 2)) ** 0.5
    assert daily[0] == pytest.approx(1.0, abs=0.1)
    assert daily[4] == pytest.approx(1 + 3 * 3.5 / 9, abs=0.3)
    assert daily[10:] == pytest.approx(np.full(4, np.std(anomalies)), rel=0.1)
    assert (np.diff(daily[:10]) > 0).all()
    assert abs(np.mean([error[:24] for error in errors])) < 0.1


@given(seed=st.integers(0, 10), days_ago=st.integers(0, 20_000))
@settings(max_examples=20, deadline=None)
def test_any_moment_can_issue_a_forecast(seed: int, days_ago: int) -> None:
    issued = utc("2024-01-01 00:00") - timedelta(days=days_ago)
    forecast = read_weather(issued, issued, seed=seed)[Quantity.TEMPERATURE_FORECAST]
    assert len(forecast) == 14 * 24
    assert np.isfinite(forecast["value"]).all()


@pytest.mark.parametrize("options", [{"mean_c": float("nan")}, {"seed": -1}, {"mean_mw": 4700.0}])
def test_wrong_options_of_the_weather_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SimulatedWeather(WEB, **options)
