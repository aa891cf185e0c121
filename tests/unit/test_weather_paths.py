"""One demand model run over the paths that the weather may take."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from forecasting.domain import DAILY, INTERVAL, LEVELS
from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.models import weather_paths as flagship
from forecasting.models.analogs import LAG_DAYS, SEASON_DAYS, Analogs
from forecasting.models.base import MIDDLE
from forecasting.models.weather_ahead import OUTLOOK_DAYS, OUTLOOK_ERROR_C, WARM_STRETCH, came, outlook_error, weather_paths
from forecasting.models.weather_paths import WeatherPaths
from forecasting.settings import TrainingSettings
from tests.unit.builders import clock_history_of, make_layout, seasonal_slots, untold

SLOTS, DAYS, UNTIL = 24, 500, 420


@cache
def cooled() -> History:
    """Two summers in which demand follows temperature above 20 C, and the days' anomalies live on for some days."""
    chance = np.random.default_rng(3)
    anomaly = np.zeros(DAYS)
    for day in range(1, DAYS):
        anomaly[day] = 0.7 * anomaly[day - 1] + chance.normal(0, 3)
    number = np.arange(DAYS)[:, None]
    wave = 18 + 8 * np.cos(2 * np.pi * number / 365.25) + 4 * np.sin(2 * np.pi * (np.arange(SLOTS) - 8) / SLOTS)
    celsius = wave + anomaly[:, None] + chance.normal(0, 0.5, (DAYS, SLOTS))
    demand = seasonal_slots(DAYS, SLOTS) * (1 + 0.04 * np.clip(celsius - 20, 0, None))
    return clock_history_of(demand, temperature_c=celsius)


@cache
def learnt(information: str, resolution: str = DAILY) -> WeatherPaths:
    layout = make_layout(resolution, information, slots=SLOTS)  # type: ignore[arg-type]
    model = WeatherPaths(layout, paths=200, seed=0)
    model.learn(cooled(), UNTIL, TrainingSettings(), untold)
    return model


def moved(history: History, first: int, warmer_c: float) -> History:
    """Warmer from a day on."""
    assert history.temperature_c is not None
    celsius = history.temperature_c.copy()
    celsius[first:] += warmer_c
    return replace(history, temperature_c=celsius)


@pytest.mark.parametrize("information", ["U", "P", "W"])
@pytest.mark.parametrize("position", [UNTIL, 450, 270])  # 270 and 450: two weeks with a clock change
def test_intervals_add_up_to_days_path_by_path(information: str, position: int) -> None:
    history, daily, by_slot = cooled(), learnt(information), learnt(information, INTERVAL)
    paths = daily.demand_paths(history, position)
    np.testing.assert_array_equal(paths, by_slot.demand_paths(history, position))
    weights = history.weights[position : position + 14]
    totals = (paths * weights).sum(axis=2)
    of_days, of_slots = (model.forecast(history, np.array([position])) for model in (daily, by_slot))
    np.testing.assert_allclose(of_days.mean[0], totals.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(of_days.mean[0], (of_slots.mean.reshape(14, SLOTS) * weights).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(of_days.quantiles[0].T, np.quantile(totals, LEVELS, axis=0), rtol=1e-9)
    assert of_days.peak is not None
    shown = np.where(weights > 0, paths, -np.inf).max(axis=2)
    np.testing.assert_allclose(of_days.peak[0].T, np.quantile(shown, LEVELS, axis=0), rtol=1e-9)


def test_the_more_is_known_of_the_weather_the_better_and_narrower() -> None:
    history, origins = cooled(), np.arange(UNTIL, DAYS - 14)
    actual = history.energy_mwh[origins[:, None] + np.arange(14)]
    told = replace(history, outlooks_c={int(at): history.temperature_c[at : at + 14] for at in origins})  # type: ignore[index]
    found = {name: learnt(name).forecast(told, origins) for name in "UPFW"}
    error = {name: np.abs(each.median - actual).mean() for name, each in found.items()}
    width = {name: (each.level(0.9) - each.level(0.1))[:, 1:5].mean() for name, each in found.items()}
    assert error["W"] < error["F"] < error["P"] < error["U"]
    assert width["W"] < width["F"] < width["P"]


def test_demand_follows_the_weather_that_is_known() -> None:
    history, position = cooled(), np.array([365])  # summer
    for name, changed in (("W", moved(history, 365, 5)), ("P", moved(history, 362, 5))):
        usual, warmer = (learnt(name).forecast(each, position).mean[0, :3] for each in (history, changed))
        assert (warmer > 1.01 * usual).all(), name
    usual, warmer = (learnt("U").forecast(each, position).mean for each in (history, moved(history, 362, 5)))
    np.testing.assert_array_equal(usual, warmer)


def test_a_weather_forecast_that_ends_early_is_gone_on_with_by_analogs() -> None:
    history, position = cooled(), UNTIL
    hot = np.full((14, SLOTS), 35.0)
    short = np.where(np.arange(14)[:, None] < 5, hot, np.nan)
    found = [
        learnt("F").forecast(replace(history, outlooks_c={position: each}), np.array([position])).mean[0] for each in (hot, short)
    ]
    none = learnt("F").forecast(history, np.array([position])).mean[0]
    np.testing.assert_allclose(found[0][:4], found[1][:4], rtol=0.02)
    assert (found[1][:4] > 1.1 * none[:4]).all()
    assert (found[1][9:] < 0.9 * found[0][9:]).all()


def test_without_temperatures_it_is_a_calendar_model() -> None:
    history = clock_history_of(seasonal_slots(300, SLOTS))
    model = WeatherPaths(make_layout(DAILY, "P", slots=SLOTS), paths=50, seed=0)
    model.learn(history, 280, TrainingSettings(), untold)
    forecast = model.forecast(history, np.array([280]))
    actual = history.energy_mwh[280:294]
    assert (np.abs(forecast.quantiles[0, :, MIDDLE] / actual - 1) < 0.1).all()


def test_demand_is_learnt_from_the_newest_years_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A series of decades must neither take the memory of decades squared, nor forecast from what is long past."""
    monkeypatch.setattr(flagship, "MOST_DAYS", 200)
    history, models = cooled(), []
    other = replace(history, demand_mwh=np.where(np.arange(DAYS)[:, None] < UNTIL - 200, 1.0, history.demand_mwh))
    for seen in (history, other):
        model = WeatherPaths(make_layout(DAILY, "P", slots=SLOTS), paths=50, seed=0)
        model.learn(seen, UNTIL, TrainingSettings(), untold)
        models.append(model)
    assert len(models[0].traits) == len(models[0].weights) == 200
    found = [model.forecast(history, np.array([UNTIL])).quantiles for model in models]
    np.testing.assert_array_equal(found[0], found[1])


def test_what_came_must_have_come() -> None:
    with pytest.raises(HistoryError, match=r"have not come yet.*ask for P or F"):
        came(cooled(), DAYS, 14)
    assert torch.isnan(came(cooled(), DAYS - 3, 14)).sum() == 11 * SLOTS


def analogs(days: int = 400) -> Analogs:
    chance = np.random.default_rng(5)
    anomalies = torch.from_numpy(chance.normal(0, 3, (days, SLOTS)))
    return Analogs(anomalies, np.asarray(pd.date_range("2012-01-01", periods=days).day_of_year), 14)


def test_analogs_are_over_before_the_origin_and_of_its_season() -> None:
    known = analogs()
    begins = known.begins(400)
    assert (begins.min(), begins.max()) == (LAG_DAYS, 386)
    drawn, spread_c = known.drawn(390, 100, None, np.random.default_rng(0))
    off = np.abs(known.day_of_year[drawn] - known.day_of_year[389] - 1)
    assert np.minimum(off, 366 - off).max() <= SEASON_DAYS
    assert drawn.max() <= 390 - 14
    assert spread_c > 0
    known.anomalies[200] = torch.nan
    assert not set(known.begins(400)) & set(range(200 - 13, 200 + LAG_DAYS + 1))


def test_paths_lie_around_the_climate_and_are_stretched_to_the_warm_side() -> None:
    known, climate = analogs(), torch.full((14, SLOTS), 20.0, dtype=torch.float64)
    nothing = torch.zeros(4, 14 * SLOTS, dtype=torch.float64)
    paths = weather_paths(known, 390, climate, nothing, None, 3.0, 500, np.random.default_rng(0)) - climate
    assert paths.shape == (500, 14, SLOTS)
    cold, warm = np.quantile(paths.numpy(), [0.1, 0.9])
    assert warm / -cold == pytest.approx(WARM_STRETCH, rel=0.1)
    young = Analogs(known.anomalies[:5], known.day_of_year[:5], 14)
    alone = weather_paths(young, 5, climate, nothing, None, 3.0, 500, np.random.default_rng(0))
    np.testing.assert_array_equal(alone, climate[None])


def test_the_error_of_a_weather_forecast_grows_to_that_of_the_climatology() -> None:
    share = outlook_error(4.0, 14, SLOTS)
    assert share[0, -1] == pytest.approx(OUTLOOK_ERROR_C / 4)
    assert (share.flatten().diff() >= 0).all()
    assert share[OUTLOOK_DAYS - 1, -1] == pytest.approx(1.0)
    assert (outlook_error(0.5, 14, SLOTS) == 1).all(), "a climate that varies less than a forecast errs"
