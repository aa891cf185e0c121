"""Small things to test with: series, histories, readings, models. All of them are made here; nothing is read from a disk."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import torch

from forecasting import calendar
from forecasting.domain import DAILY, INTERVAL, LEVELS, Information, Resolution, Series
from forecasting.history import History
from forecasting.models import MODELS, build
from forecasting.models.base import Epoch, Forecaster
from forecasting.models.network import Network
from forecasting.models.past_weeks import PastWeeks
from forecasting.predicting import FittedModel
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.windows import Inputs, Layout, whole_origins

MELBOURNE = "Australia/Melbourne"
LAYOUT = Layout(DAILY, 1, past_steps=14, horizon_steps=14)
VALIDATION_DAYS = 56
SMALL = ModelSettings(hidden=6, seeds=2)
QUICK = TrainingSettings(epochs=1, max_windows=64, batch_size=32)


def utc(text: str) -> datetime:
    """`2014-01-31 13:30` as a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_series(
    series_id: str = "test",
    zone: str = MELBOURNE,
    region: str = "AU-VIC",
    minutes: int = 30,
    delay: timedelta = timedelta(0),
    simulated: bool = False,
) -> Series:
    return Series(
        series_id=series_id,
        name=f"Series {series_id}",
        region=region,
        time_zone=zone,
        interval=timedelta(minutes=minutes),
        source="simulated" if simulated else "csv",
        simulated=simulated,
        publication_delay=delay,
    )


def make_history(
    energy_mwh: np.ndarray, first: str = "2012-01-01", filled: Collection[int] = (), series: Series | None = None
) -> History:
    """A history of consecutive days of so much energy, at constant power within each; `filled` are positions."""
    series = series or make_series()
    days = pd.date_range(first, periods=len(energy_mwh), freq="D")
    weights = calendar.clock_weights(days, series.zone, series.interval)
    power = np.asarray(energy_mwh, dtype=float)[:, None] / weights.sum(axis=1, keepdims=True)
    return History(series, days, np.repeat(power, weights.shape[1], axis=1), weights, holes(len(days), filled))


def clock_history_of(demand_mwh: np.ndarray, first: str = "2012-01-01", filled: Collection[int] = (), **more: Any) -> History:
    """A history of consecutive days by slot [days, slots]; `more` are other fields of History."""
    series = more.pop("series", None) or make_series(minutes=1440 // demand_mwh.shape[1])
    days = pd.date_range(first, periods=len(demand_mwh), freq="D")
    weights = calendar.clock_weights(days, series.zone, series.interval)
    return History(series, days, demand_mwh, weights, holes(len(days), filled), **more)


def holes(days: int, filled: Collection[int]) -> np.ndarray:
    found = np.zeros(days, dtype=bool)
    found[list(filled)] = True
    return found


def seasonal(days: int, seed: int = 0, noise: float = 0.02) -> np.ndarray:
    """Daily energy with a weekly and a yearly shape, in MWh."""
    number = np.arange(days)
    shape = 1 + 0.1 * np.cos(2 * np.pi * number / 365.25) - 0.15 * (number % 7 >= 5)
    return 100_000 * shape * (1 + noise * np.random.default_rng(seed).standard_normal(days))


def seasonal_slots(days: int, slots: int = 4, seed: int = 0) -> np.ndarray:
    """The same with a daily shape: [days, slots]."""
    shape = 1 + 0.3 * np.sin(2 * np.pi * np.arange(slots) / slots)
    noise = 1 + 0.01 * np.random.default_rng(seed + 1).standard_normal((days, slots))
    return np.asarray(seasonal(days, seed)[:, None] / slots * shape * noise)


def weathered(days: int, slots: int = 4, seed: int = 0, outlooks: Collection[int] = ()) -> History:
    """A history with temperatures, and weather forecasts of 14 days from some positions."""
    numbers = np.random.default_rng(seed + 2)
    celsius = 15 + 8 * np.sin(2 * np.pi * np.arange(days)[:, None] / 365.25) + numbers.normal(0, 2, (days, slots))
    given: Mapping[int, np.ndarray] = {at: 15 + numbers.normal(0, 5, (14, slots)) for at in outlooks}
    return clock_history_of(seasonal_slots(days, slots, seed), temperature_c=celsius, outlooks_c=given)


def make_layout(
    resolution: Resolution = DAILY, information: str = "P", temperature: bool = False, slots: int = 4, horizon_days: int = 14
) -> Layout:
    """Two weeks of past, at days or at so many slots a day."""
    per_day = slots if resolution == INTERVAL else 1
    return Layout(resolution, per_day, 14 * per_day, horizon_days * per_day, Information(information), temperature)


def validation_origins(history: History, horizon_days: int = 14) -> np.ndarray:
    return whole_origins(history, len(history) - VALIDATION_DAYS, horizon_days)


def intervals(first: str | date, last: str | date, series: Series) -> pd.DatetimeIndex:
    """The UTC starts of every interval of local days `first` to `last`."""
    end = pd.Timestamp(last) + pd.Timedelta(days=1)
    local = pd.date_range(pd.Timestamp(first), end, freq=series.interval, tz=series.time_zone, inclusive="left")
    return local.tz_convert("UTC")


def make_readings(first: str, last: str, series: Series, value: float | None = None, seed: int = 0) -> pd.DataFrame:
    """A readings frame of whole local days: `value` everywhere, or noise around 2000 MWh."""
    starts = intervals(first, last, series)
    noise = 2000 + 100 * np.random.default_rng(seed).standard_normal(len(starts))
    return pd.DataFrame({"interval_start": starts, "value": noise if value is None else np.full(len(starts), value)})


def make_forecaster(family: str = "seq2seq_attention", layout: Layout = LAYOUT, seed: int = 0, **options: Any) -> Forecaster:
    """An untrained forecaster of a family, always the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(family, layout, **{**MODELS[family].options(SMALL), **options})


def make_inputs(windows: int = 3, seed: int = 0, scale: float = 1.0, layout: Layout = LAYOUT) -> Inputs:
    """Inputs of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    past = torch.randn(windows, layout.past_steps, layout.past_width, generator=generator)
    future = torch.randn(windows, layout.horizon_steps, layout.future_width, generator=generator)
    return Inputs(past * scale, future * scale)


def untold(epoch: Epoch) -> None:
    """Nobody listens to the losses."""


def make_model(family: str, history: History, layout: Layout = LAYOUT) -> FittedModel:
    """A model that knows the scale of a history; of the networks one without any training."""
    forecaster = make_forecaster(family, layout)
    until = len(history) - VALIDATION_DAYS
    if isinstance(forecaster, Network):
        forecaster.fit_scale(history.before(until))
    else:
        forecaster.learn(history, until, QUICK, untold)
    return FittedModel.raw(family, forecaster)


def naive_with_bands(below: float, above: float, layout: Layout = LAYOUT) -> FittedModel:
    """Weekly naive whose 10 and 90 % quantiles lie so many MWh from the median, the others in proportion to their level."""
    forecaster = PastWeeks(layout, weeks=1)
    away = (np.array(LEVELS) - 0.5) / 0.4
    offsets = np.where(away < 0, below, above) * away
    forecaster.offsets_mwh = torch.tensor(offsets).expand(layout.horizon_steps, -1).clone()
    return FittedModel.raw("weekly_naive", forecaster)


def with_demand(history: History, demand_mwh: np.ndarray) -> History:
    """The same history with other demand."""
    return replace(history, demand_mwh=demand_mwh)


def noise_from(history: History, position: int) -> History:
    """The same history with other demand and weather at and after a position; the outlook known at the position stays."""
    noise = np.random.default_rng(99)
    demand = history.demand_mwh.copy()
    demand[position:] = 1e6 * noise.random(demand[position:].shape)
    celsius = None if history.temperature_c is None else history.temperature_c.copy()
    if celsius is not None:
        celsius[position:] = 100 * noise.random(celsius[position:].shape)
    outlooks = {at: 100 * noise.random(given.shape) if at > position else given for at, given in history.outlooks_c.items()}
    return replace(history, demand_mwh=demand, temperature_c=celsius, outlooks_c=outlooks)
