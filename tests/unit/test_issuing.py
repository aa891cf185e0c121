"""What an issue says: paths that hang together, peaks, drivers, and what is plausible."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from forecasting.condition import Condition, forecast_leads
from forecasting.domain import LEVELS, PUBLISHED
from forecasting.drivers import drivers
from forecasting.errors import PublishError
from forecasting.issuing import make_issue, plausible, weekly_naive
from forecasting.paths import MOST, coherent_paths
from forecasting.predicting import column
from tests.unit.builders import (
    clock_history_of,
    make_history,
    make_layout,
    make_model,
    make_series,
    noise_from,
    seasonal,
    seasonal_slots,
    weathered,
)

HISTORY = weathered(500)
FAMILIES = ("weekly_naive", "two_stage_ridge", "weather_paths")


@pytest.mark.parametrize("family", FAMILIES)
def test_daily_energies_of_the_paths_are_those_of_the_forecast(family: str) -> None:
    model = make_model(family, HISTORY)
    forecast = forecast_leads(model, HISTORY, 14)
    days = coherent_paths(model.forecaster, HISTORY, forecast)
    energy = np.stack([day.mwh.sum(axis=1) for day in days], axis=1)  # [paths, days]
    share = (np.arange(len(energy)) + 0.5) / len(energy)
    for day in range(14):
        expected = np.interp(share, LEVELS, forecast.quantiles[0, day])
        inner = (share > LEVELS[0]) & (share < LEVELS[-1])
        assert np.sort(energy[:, day])[inner] == pytest.approx(expected[inner], rel=1e-9)


def test_days_of_a_path_hang_together_as_days_did_in_the_past() -> None:
    """A level that wanders: a high day follows a high one. Paths of a model that knows nothing of it inherit it from the past."""
    numbers = np.random.default_rng(5)
    level = np.zeros(800)
    for day in range(1, 800):
        level[day] = 0.95 * level[day - 1] + 0.02 * numbers.standard_normal()
    history = clock_history_of(seasonal_slots(800) * np.exp(level)[:, None])
    model = make_model("weekly_naive", history)
    paths = coherent_paths(model.forecaster, history, forecast_leads(model, history, 14))
    energy = np.stack([day.mwh.sum(axis=1) for day in paths], axis=1)
    assert np.corrcoef(energy[:, 5], energy[:, 6])[0, 1] > 0.5


@pytest.mark.parametrize(("days", "hours"), [(97, 25), (279, 23)])  # up to 6 April, or to 5 October 2013
def test_paths_have_the_intervals_that_a_day_of_a_clock_change_really_has(days: int, hours: int) -> None:
    history = clock_history_of(seasonal_slots(days + 365, slots=48), first="2012-01-01").before(days + 364)
    model = make_model("weekly_naive", history)
    paths = coherent_paths(model.forecaster, history, forecast_leads(model, history, 14))
    lengths = [len(day.starts) for day in paths]
    assert sorted({length // 2 for length in lengths}) == sorted({24, hours})
    assert all(day.mwh.shape[1] == len(day.starts) for day in paths)
    gaps = np.diff(np.concatenate([day.starts.as_unit("us").asi8 for day in paths]))
    assert set(gaps) == {30 * 60 * 10**6}, "in UTC nothing is missing and nothing doubled"


def test_the_peak_comes_where_demand_is_highest_and_in_megawatts() -> None:
    demand = np.full((500, 24), 100.0)
    demand[:, 18] = 150.0
    history = clock_history_of(demand, series=make_series(minutes=60))
    model = weekly_naive(history, 14)
    frame = make_issue(model, history, Condition(), 14, None).frame
    local = frame["peak_start"].dt.tz_convert(history.series.zone)
    assert set(local.dt.hour) == {18}
    assert frame["peak_q50_mw"].to_numpy() == pytest.approx(np.full(14, 150.0))
    half_hourly = clock_history_of(np.repeat(demand / 2, 2, axis=1))
    again = make_issue(weekly_naive(half_hourly, 14), half_hourly, Condition(), 14, None).frame
    assert again["peak_q50_mw"].to_numpy() == pytest.approx(np.full(14, 150.0)), "power does not depend on the interval"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_issue_is_complete_in_order_and_the_same_each_time(family: str) -> None:
    model = make_model(family, HISTORY)
    first, second = (make_issue(model, HISTORY, Condition(), 14, model) for _ in range(2))
    assert first.frame.equals(second.frame)
    told = first.frame if family == "weather_paths" else first.frame.drop(columns="weather_mwh")
    assert told.notna().all().all()
    quantiles = first.frame[[column(level) for level in PUBLISHED]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (first.frame["previous_model_mwh"] == first.frame["mean"]).all()
    assert (first.frame["target_end"].shift().dropna() == first.frame["target_start"][1:]).all()
    assert len(first.paths[0].mwh) <= MOST


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_after_the_origin_enters_an_issue(family: str) -> None:
    model = make_model(family, HISTORY)
    first, second = (history.before(450) for history in (HISTORY, noise_from(HISTORY, 450)))
    assert make_issue(model, first, Condition(), 14, None).frame.equals(make_issue(model, second, Condition(), 14, None).frame)


def test_drivers_tell_weekends_from_weather() -> None:
    model = make_model("weather_paths", HISTORY)
    moved = drivers(model.forecaster, HISTORY, 14)
    ahead = HISTORY.days_and_after(14)[-14:]
    weekend = np.asarray(ahead.day_of_week >= 5)
    series = HISTORY.energy_mwh
    free = np.arange(len(series)) % 7 >= 5  # the weekend of `seasonal`, which begins on a Sunday
    assert (moved.reference_mwh > 0).all()
    assert weekend.any()
    drop = series[-28:][free[-28:]].mean() - series[-28:][~free[-28:]].mean()
    expected = np.arange(500, 514) % 7 >= 5
    assert moved.calendar_mwh[expected].mean() - moved.calendar_mwh[~expected].mean() == pytest.approx(drop, rel=0.15)
    assert moved.weather_mwh is not None
    assert np.abs(moved.weather_mwh).max() > 0
    assert drivers(make_model("two_stage_ridge", HISTORY).forecaster, HISTORY, 14).weather_mwh is None


def test_hot_days_to_come_are_put_down_to_the_weather() -> None:
    """Demand that rises with heat, and a heat wave among the last days: the model expects some of it to stay."""
    numbers = np.random.default_rng(8)
    warmth = 20 + np.zeros(700)
    for day in range(1, 700):
        warmth[day] = 20 + 0.8 * (warmth[day - 1] - 20) + numbers.normal(0, 3)
    warmth[-4:] = 38
    celsius = np.repeat(warmth[:, None], 4, axis=1)
    demand = seasonal_slots(700) * (1 + 0.03 * np.maximum(celsius - 20, 0))
    history = clock_history_of(demand, temperature_c=celsius)
    model = make_model("weather_paths", history, make_layout())
    weather = drivers(model.forecaster, history, 14).weather_mwh
    assert weather is not None
    assert weather[0] > 5_000
    assert weather[0] > weather[-1]


def test_what_is_plausible_follows_what_was_seen() -> None:
    low, high = plausible(make_history(np.array([80.0, 100.0, 120.0])))
    assert (low, high) == (pytest.approx(20.0), pytest.approx(180.0))
    low, high = plausible(make_history(np.array([-5.0, 10.0, 20.0])))
    assert (low, high) == (pytest.approx(-30.0), pytest.approx(45.0))
    filled = make_history(np.array([80.0, 1e9, 120.0]), filled=(1,))
    assert plausible(filled)[1] < 200


def test_values_that_are_not_finite_are_refused_before_they_reach_the_database() -> None:
    model = make_model("two_stage_ridge", HISTORY)
    model.forecaster.coefficients[:] = np.nan  # type: ignore[operator, index]
    with pytest.raises(PublishError, match="not finite"):
        make_issue(model, HISTORY, Condition(), 14, None)


def test_a_previous_model_that_cannot_be_asked_leaves_a_blank() -> None:
    model, broken = make_model("two_stage_ridge", HISTORY), make_model("two_stage_ridge", HISTORY)
    broken.forecaster.coefficients = broken.forecaster.coefficients[:3]  # type: ignore[index]
    frame = make_issue(model, HISTORY, Condition(), 14, broken).frame
    assert frame["previous_model_mwh"].isna().all()


def test_weekly_naive_reaches_as_far_as_it_must_and_widens_on_the_way() -> None:
    history = make_history(seasonal(700))
    frame = make_issue(weekly_naive(history, 40), history, Condition(26), 40, None).frame
    assert len(frame) == 40
    width = frame["q90"] - frame["q10"]
    assert width[33:].mean() > width[:7].mean()
    shift = timedelta(days=7)
    assert replace(history).start_of(700) + shift == frame["target_start"][7].to_pydatetime()
