"""Small things to test with: series, histories, readings, models. All of them are made here; nothing is read from a disk."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import torch

from forecasting import calendar
from forecasting.domain import QUANTILES, Series
from forecasting.history import History
from forecasting.models import build
from forecasting.models.weekly_naive import WeeklyNaive
from forecasting.predicting import FittedModel
from forecasting.windows import Inputs, Split, WindowSpec, split

MELBOURNE = "Australia/Melbourne"
SPEC = WindowSpec(past_days=14, horizon_days=14)
VALIDATION_DAYS = 56
OPTIONS: dict[str, dict[str, Any]] = {
    "seq2seq_attention": {
        "features": len(calendar.FEATURES),
        "hidden": 8,
        "cell": "gru",
        "attention": "additive",
        "dropout": 0.1,
    },
    "weekly_naive": {"horizon_days": SPEC.horizon_days},
}


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
    """A history of consecutive days; `filled` are positions."""
    holes = np.zeros(len(energy_mwh), dtype=bool)
    holes[list(filled)] = True
    days = pd.date_range(first, periods=len(energy_mwh), freq="D")
    return History(series or make_series(), days, np.asarray(energy_mwh, dtype=float), holes)


def first_days(history: History, count: int) -> History:
    """The same history, as it was known when it had only `count` days."""
    return History(history.series, history.days[:count], history.energy_mwh[:count], history.filled[:count])


def seasonal(days: int, seed: int = 0, noise: float = 0.02) -> np.ndarray:
    """Daily energy with a weekly and a yearly shape, in MWh."""
    number = np.arange(days)
    shape = 1 + 0.1 * np.cos(2 * np.pi * number / 365.25) - 0.15 * (number % 7 >= 5)
    return 100_000 * shape * (1 + noise * np.random.default_rng(seed).standard_normal(days))


def make_split(history: History) -> Split:
    return split(history, SPEC, VALIDATION_DAYS)


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


def make_network(family: str = "seq2seq_attention", seed: int = 0, **options: Any) -> torch.nn.Module:
    """An untrained network of a family, always the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(family, **{**OPTIONS[family], **options})


def make_inputs(windows: int = 3, seed: int = 0, scale: float = 1.0) -> Inputs:
    """Inputs of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    features = len(calendar.FEATURES)
    past = torch.randn(windows, SPEC.past_days, 1 + features, generator=generator)
    future = torch.randn(windows, SPEC.horizon_days, features, generator=generator)
    return Inputs(past * scale, future * scale)


def make_model(family: str, history: History) -> FittedModel:
    """An untrained model of a family with the scaler of a history."""
    parts = make_split(history)
    return FittedModel(family, make_network(family).eval(), parts.spec, parts.scaler)


def naive_with_bands(history: History, below: float, above: float) -> FittedModel:
    """Weekly naive with bands of a fixed width, in standard deviations of the training days."""
    parts = make_split(history)
    network = WeeklyNaive(SPEC.horizon_days)
    offsets = torch.tensor([-below, 0.0, above]).expand(SPEC.horizon_days, len(QUANTILES))
    network.load_state_dict({"offsets": offsets.clone()})
    return FittedModel("weekly_naive", network, parts.spec, parts.scaler)
