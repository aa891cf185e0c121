"""Invented demand and weather for demonstrations, load tests and drills. Its series ids begin with `simulated`, so every row it
feeds says so.
"""

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecasting import calendar
from forecasting.domain import Quantity, Series
from forecasting.frames import CHUNK_ROWS, Batch, readings_frame, rejected_frame
from forecasting.sources.faults import Faults, as_delivered, refuse_if_broken
from forecasting.sources.web import Web

MEMORY_DAYS = 60
"""Past daily shocks that a value depends on; what is older has faded to nothing."""
WEATHER_PERSISTENCE, LEVEL_PERSISTENCE = 0.7, 0.9
HEATING_BELOW_C, COOLING_ABOVE_C = 16.5, 21.5
ANOMALY_SD_C = 4.2
"""Of the daily weather shocks, between which the anomaly is a straight line."""
FORECAST_DAYS = 14
FIRST_DAY_ERROR_C, NO_SKILL_DAYS = 1.0, 10
"""Error of a simulated weather forecast up to one day ahead; it grows from there, in a straight line, to the climatology's."""
ERROR_MEMORY = timedelta(hours=48)
ONE_DAY = timedelta(days=1)


class WeatherOptions(BaseModel):
    """The same seed and series id give the same values for ever, whichever stretch is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0)
    mean_c: float = Field(default=15.0, ge=-40, le=45)
    warmest_day_of_year: int = Field(default=25, ge=1, le=366)


class SimulatedOptions(WeatherOptions):
    """The weather, what it costs in energy, and what goes wrong on the way."""

    mean_mw: float = Field(default=4700.0, gt=0, allow_inf_nan=False)
    faults: Faults = Faults()


class SimulatedSource:
    """Demand with daily, weekly and yearly shape, holidays, a U-shaped response to temperature, and unforeseen weather.

    Faults, if any, touch the demand; its temperature and holidays stay clean.
    """

    simulated: ClassVar[bool] = True
    window: ClassVar[timedelta | None] = None

    def __init__(self, web: Web, **options: Any) -> None:  # noqa: ARG002 - built like every other source
        self.options = SimulatedOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        options, faults = self.options, self.options.faults
        refuse_if_broken(faults, options.seed, series, until)
        for index in _stretches(series, since, until):
            for quantity, values in self._true(index, series).items():
                readings = readings_frame(index, values)
                if quantity is Quantity.DEMAND:
                    readings = as_delivered(faults, options.seed, series, self.truth, readings, until)
                yield Batch(quantity, readings, rejected_frame())

    def truth(self, series: Series, since: datetime, until: datetime) -> pd.DataFrame:
        """The demand as it was, without faults: a readings frame of any length, in MWh."""
        parts = [readings_frame(index, self._true(index, series)[Quantity.DEMAND]) for index in _stretches(series, since, until)]
        return pd.concat(parts, ignore_index=True) if parts else readings_frame(pd.DatetimeIndex([], tz="UTC"), np.array([]))

    def _true(self, index: pd.DatetimeIndex, series: Series) -> dict[Quantity, np.ndarray]:
        local = index.tz_convert(series.zone)
        weather, level, noise = _shocks(index, series, self.options.seed)
        temperature = _expected_c(local, self.options) + ANOMALY_SD_C * weather
        holiday = _is_holiday(calendar.local_days(index, series.zone), series.region)
        demand = self._demand_mw(local, temperature, holiday, level, noise) * (series.interval / timedelta(hours=1))
        return {
            Quantity.DEMAND: demand.round(3),
            Quantity.TEMPERATURE: temperature.round(2),
            Quantity.HOLIDAY: holiday.astype(float),
        }

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


class SimulatedWeather:
    """The temperature that the simulated demand of the same seed answers to, on any grid, and forecasts of it.

    Each read issues one forecast at `until`, for 14 days. It is calibrated and loses skill with lead time as real ones do. With
    a(t) the anomaly from the climatology, sigma its sd, and s(t) the error's sd, 1 C up to one day ahead and growing in a straight
    line to sigma at ten days,

        skill(t) = 1 - (s(t) / sigma)^2
        forecast anomaly = skill * a + sqrt(skill * (1 - skill)) * sigma * z,    z Gaussian, AR(1), decorrelation time 48 h

    so that E[a | forecast] is the forecast, its error's sd is s(t), and from day ten on it is the climatology. The moment of issue
    seeds z.
    """

    simulated: ClassVar[bool] = True
    window: ClassVar[timedelta | None] = None

    def __init__(self, web: Web, **options: Any) -> None:  # noqa: ARG002 - built like every other source
        self.options = WeatherOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        for index in _stretches(series, since, until):
            expected, anomaly = self._weather(index, series)
            yield Batch(Quantity.TEMPERATURE, readings_frame(index, (expected + anomaly).round(2)), rejected_frame())
        for index in _stretches(series, until, until + timedelta(days=FORECAST_DAYS)):
            issued = pd.DatetimeIndex([until] * len(index))
            forecast = readings_frame(index, self._forecast(index, series, until).round(2), issued)
            yield Batch(Quantity.TEMPERATURE_FORECAST, forecast, rejected_frame())

    def _weather(self, index: pd.DatetimeIndex, series: Series) -> tuple[np.ndarray, np.ndarray]:
        weather, _, _ = _shocks(index, series, self.options.seed)
        return _expected_c(index.tz_convert(series.zone), self.options), ANOMALY_SD_C * weather

    def _forecast(self, index: pd.DatetimeIndex, series: Series, issued: datetime) -> np.ndarray:
        expected, anomaly = self._weather(index, series)
        # The mean variance along straight lines between values that are correlated by WEATHER_PERSISTENCE.
        sigma = ANOMALY_SD_C * np.sqrt((2 + WEATHER_PERSISTENCE) / 3)
        lead_days = np.asarray((index + series.interval - pd.Timestamp(issued)) / pd.Timedelta(ONE_DAY))
        growth = (sigma - FIRST_DAY_ERROR_C) * (lead_days - 1) / (NO_SKILL_DAYS - 1)
        skill = 1 - (np.clip(FIRST_DAY_ERROR_C + growth, FIRST_DAY_ERROR_C, sigma) / sigma) ** 2
        day, rest = divmod(issued - calendar.EPOCH, ONE_DAY)
        issue = [self.options.seed, _key(series, "forecast"), 10**6 + day, rest // timedelta(microseconds=1)]
        shocks = np.random.default_rng(issue).standard_normal(len(index))
        step = series.interval / ERROR_MEMORY
        shocks[1:] *= np.sqrt(1 - np.exp(-2 * step))
        fading = np.exp(-step * np.arange(len(index)))
        z = fading * np.cumsum(shocks / fading)  # z[t] = phi z[t-1] + shock, unrolled
        return np.asarray(expected + skill * anomaly + np.sqrt(skill * (1 - skill)) * sigma * z)


def _stretches(series: Series, since: datetime, until: datetime) -> Iterator[pd.DatetimeIndex]:
    """The interval starts of the series' grid, in stretches whose batch is not too large even if every row comes twice."""
    anchor = calendar.grid_anchor(series.zone, series.interval)
    first, end = -((anchor - since) // series.interval), (until - anchor) // series.interval
    for start in range(first, end, CHUNK_ROWS // 2):
        rows = min(CHUNK_ROWS // 2, end - start)
        yield pd.date_range(anchor + start * series.interval, periods=rows, freq=series.interval, unit="us")


def _key(series: Series, purpose: str = "") -> int:
    return zlib.crc32((series.demand_id + purpose).encode())


def _shocks(index: pd.DatetimeIndex, series: Series, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weather anomaly, demand level and noise of each interval, as standard normal numbers with their own memory.

    Every UTC day draws from a generator seeded by its date, so that no value depends on the stretch that was asked for.
    """
    per_day = ONE_DAY // series.interval
    midnight = index.floor("D")
    day = (midnight - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(ONE_DAY)
    numbers = np.arange(int(day[0]) - MEMORY_DAYS, int(day[-1]) + 2)
    key = _key(series)
    draws = np.stack([np.random.default_rng([seed, key, 10**6 + n]).standard_normal(2 + per_day) for n in numbers.tolist()])
    slot = np.asarray((index - midnight) // pd.Timedelta(series.interval))
    row = np.asarray(day) - numbers[0]
    at = row + np.asarray((index - midnight) / pd.Timedelta(ONE_DAY))
    weather, level = (
        np.interp(at, np.arange(len(numbers)), _persistent(draws[:, i], persistence))
        for i, persistence in ((0, WEATHER_PERSISTENCE), (1, LEVEL_PERSISTENCE))
    )
    return weather, level, draws[row, 2 + slot]


def _persistent(shocks: np.ndarray, persistence: float) -> np.ndarray:
    """An autoregression of order one with unit variance, cut off after MEMORY_DAYS so that it needs no beginning."""
    weights = np.sqrt(1 - persistence**2) * persistence ** np.arange(MEMORY_DAYS)
    return np.convolve(shocks, weights)[: len(shocks)]


def _expected_c(local: pd.DatetimeIndex, options: WeatherOptions) -> np.ndarray:
    """The climatology: what the season and the hour let one expect."""
    hour = local.hour + local.minute / 60
    season = np.cos(2 * np.pi * (local.day_of_year - options.warmest_day_of_year) / 365.25)
    return np.asarray(options.mean_c + 6 * season + 4.5 * np.cos(2 * np.pi * (hour - 15.5) / 24))


def _is_holiday(days: pd.DatetimeIndex, region: str) -> np.ndarray:
    closed = calendar.public_holidays(region, tuple(range(days[0].year, days[-1].year + 1)))
    each = pd.date_range(days[0], days[-1], freq="D")
    flags = pd.Series([day.date() in closed for day in each], index=each)
    return flags.reindex(days).to_numpy(dtype=bool)
