"""Invented demand for demonstrations and load tests. Its series ids begin with `simulated`, so every row it feeds says so."""

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecasting import calendar
from forecasting.domain import Quantity, Series
from forecasting.frames import Batch, readings_frame, rejected_frame

MEMORY_DAYS = 60
"""Past daily shocks that a value depends on; what is older has faded to nothing."""
WEATHER_PERSISTENCE, LEVEL_PERSISTENCE = 0.7, 0.9
HEATING_BELOW_C, COOLING_ABOVE_C = 16.5, 21.5


class SimulatedOptions(BaseModel):
    """The same seed and series id give the same values for ever, whichever stretch is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0)
    mean_mw: float = Field(default=4700.0, gt=0)
    mean_c: float = 15.0
    warmest_day_of_year: int = Field(default=25, ge=1, le=366)


class SimulatedSource:
    """Demand with daily, weekly and yearly shape, holidays, a U-shaped response to temperature, and unforeseen weather."""

    simulated: ClassVar[bool] = True

    def __init__(self, **options: Any) -> None:
        self.options = SimulatedOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        first = -((calendar.EPOCH - since) // series.interval) * series.interval
        index = pd.date_range(calendar.EPOCH + first, until - series.interval, freq=series.interval)
        if index.empty:
            return
        local = index.tz_convert(series.zone)
        weather, level, noise = self._shocks(index, series)
        temperature = self._temperature(local, weather)
        days = calendar.local_days(index, series.zone)
        holiday = _is_holiday(days, series.region)
        demand = self._demand_mw(local, temperature, holiday, level, noise) * (series.interval / timedelta(hours=1))
        for quantity, values in (
            (Quantity.DEMAND, demand.round(3)),
            (Quantity.TEMPERATURE, temperature.round(2)),
            (Quantity.HOLIDAY, holiday.astype(float)),
        ):
            yield Batch(quantity, readings_frame(index, values), rejected_frame())

    def _shocks(self, index: pd.DatetimeIndex, series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weather anomaly, demand level and noise of each interval, as standard normal numbers with their own memory.

        Every UTC day draws from a generator seeded by its date, so that no value depends on the stretch that was asked for.
        """
        per_day = timedelta(days=1) // series.interval
        day = (index.floor("D") - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(days=1)
        numbers = np.arange(int(day[0]) - MEMORY_DAYS, int(day[-1]) + 2)
        key = zlib.crc32(series.series_id.encode())
        draws = np.stack(
            [np.random.default_rng([self.options.seed, key, 10**6 + n]).standard_normal(2 + per_day) for n in numbers.tolist()]
        )
        slot = ((index - index.floor("D")) // pd.Timedelta(series.interval)).to_numpy()
        row = np.asarray(day) - numbers[0]
        at = row + slot / per_day
        weather, level = (
            np.interp(at, np.arange(len(numbers)), _persistent(draws[:, i], persistence))
            for i, persistence in ((0, WEATHER_PERSISTENCE), (1, LEVEL_PERSISTENCE))
        )
        return weather, level, draws[row, 2 + slot]

    def _temperature(self, local: pd.DatetimeIndex, weather: np.ndarray) -> np.ndarray:
        hour = local.hour + local.minute / 60
        season = np.cos(2 * np.pi * (local.day_of_year - self.options.warmest_day_of_year) / 365.25)
        return np.asarray(self.options.mean_c + 6 * season + 4.5 * np.cos(2 * np.pi * (hour - 15.5) / 24) + 4.2 * weather)

    def _demand_mw(
        self, local: pd.DatetimeIndex, temperature: np.ndarray, holiday: np.ndarray, level: np.ndarray, noise: np.ndarray
    ) -> np.ndarray:
        hour = np.asarray(local.hour + local.minute / 60)
        weekday = np.asarray(local.day_of_week)
        idle = holiday | (weekday == 6)
        working = np.where(idle, 0.0, np.where(weekday == 5, 0.3, 1.0))
        morning = np.exp(-(((hour - 9.5) / 3.5) ** 2))
        evening = np.exp(-(((hour - 18.5) / 3.0) ** 2))
        shape = 0.80 + 0.12 * evening + 0.06 * morning + working * (0.05 + 0.16 * np.exp(-(((hour - 12.5) / 5.0) ** 4)))
        heating = 0.011 * np.maximum(HEATING_BELOW_C - temperature, 0)
        cooling = 0.014 * np.maximum(temperature - COOLING_ABOVE_C, 0) ** 1.15
        return np.asarray(self.options.mean_mw * (shape + heating + cooling) * (1 + 0.012 * level) * (1 + 0.004 * noise))


def _persistent(shocks: np.ndarray, persistence: float) -> np.ndarray:
    """An autoregression of order one with unit variance, cut off after MEMORY_DAYS so that it needs no beginning."""
    weights = np.sqrt(1 - persistence**2) * persistence ** np.arange(MEMORY_DAYS)
    return np.convolve(shocks, weights)[: len(shocks)]


def _is_holiday(days: pd.DatetimeIndex, region: str) -> np.ndarray:
    closed = calendar.public_holidays(region, tuple(range(days[0].year, days[-1].year + 1)))
    each = pd.date_range(days[0], days[-1], freq="D")
    flags = pd.Series([day.date() in closed for day in each], index=each)
    return flags.reindex(days).to_numpy(dtype=bool)
