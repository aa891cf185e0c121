"""Coherent sample paths: whole courses of the coming days, interval by interval, whose daily energies are those of the forecast."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.domain import LEVELS
from forecasting.history import WEEK, History
from forecasting.models.base import Forecast

MOST = 100
"""Courses of the past that serve as templates, and paths that are kept."""
FEWEST_TEMPLATES = 5


@runtime_checkable
class Pathfinder(Protocol):
    """A forecaster that draws paths itself."""

    def demand_paths(self, history: History, position: int) -> np.ndarray:
        """Equally likely paths [paths, horizon_days, slots], MWh of one interval."""
        ...


@dataclass(frozen=True)
class Paths:
    """Equally likely paths of one day: `mwh` [paths, intervals of the day], energy of each interval; `starts` [intervals], UTC."""

    starts: pd.DatetimeIndex
    mwh: np.ndarray

    def peak_mw(self, interval_h: float, levels: tuple[float, ...]) -> list[float]:
        """Quantiles of the power of the highest interval, MW."""
        return [float(value) for value in np.quantile(self.mwh.max(axis=1) / interval_h, levels)]

    @property
    def peak_start(self) -> datetime:
        """The interval in which the peak comes most often."""
        at = np.bincount(self.mwh.argmax(axis=1), minlength=len(self.starts))
        moment: datetime = self.starts[int(at.argmax())].to_pydatetime()
        return moment


def coherent_paths(forecaster: object, history: History, forecast: Forecast) -> list[Paths]:
    """Paths of each day of a forecast [1, days].

    Templates are the model's own paths, or courses that demand took in the past from the same weekday in the same season. Day by
    day the template of each rank gets the energy of that rank in the forecast, so that the order among paths, and with it how days
    hang together, stays (ensemble copula coupling, Schefzik et al. 2013; with courses of the past it is the Schaake shuffle, Clark
    et al. 2004).
    """
    days = forecast.mean.shape[1]
    weights = history.weights_and_after(days)[-days:]
    templates = _templates(forecaster, history, days)  # [paths, days, slots]
    energy = (templates * weights).sum(axis=2)
    count = len(templates)
    rank = energy.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    share = (np.arange(count) + 0.5) / count
    wanted = np.stack([_quantile(forecast.quantiles[0, day], share)[rank[:, day]] for day in range(days)], axis=1)
    positive = (templates.min(axis=(1, 2)) > 0)[:, None] & (wanted > 0)
    ratio = np.divide(wanted, energy, out=np.ones_like(wanted), where=positive)
    shift = np.where(positive, 0.0, (wanted - energy) / weights.sum(axis=1))
    paths = templates * ratio[..., None] + shift[..., None]
    return [_day(paths[:, day], history, day) for day in range(days)]


def thinned(paths: Paths) -> Paths:
    """At most MOST of them, evenly."""
    step = max(1, len(paths.mwh) // MOST)
    return Paths(paths.starts, paths.mwh[::step][:MOST])


def _templates(forecaster: object, history: History, days: int) -> np.ndarray:
    if isinstance(forecaster, Pathfinder):
        own = np.asarray(forecaster.demand_paths(history, len(history))[:, :days])
        if own.shape[1] == days and len(own) >= FEWEST_TEMPLATES:
            return own
    last = len(history) - days
    begins = np.arange(last, -1, -1)
    same = begins[(begins - len(history)) % WEEK == 0] if last >= FEWEST_TEMPLATES * WEEK else begins
    if not len(same):  # a history shorter than the horizon: its last week again
        week = history.demand_mwh[-WEEK:]
        same_week: np.ndarray = week[np.arange(days) % len(week)][None]
        return same_week
    off = np.abs((len(history) - same + 182.625) % 365.25 - 182.625)  # days off the same day of the year
    nearest = same[np.argsort(off, kind="stable")][:MOST]
    templates: np.ndarray = history.demand_mwh[nearest[:, None] + np.arange(days)]
    return templates


def _quantile(quantiles: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The quantile function through LEVELS, its outermost pieces drawn on."""
    levels = np.array(LEVELS)
    found: np.ndarray = np.interp(share, levels, quantiles)
    low, high = share < levels[0], share > levels[-1]
    found[low] = quantiles[0] - (levels[0] - share[low]) * (quantiles[1] - quantiles[0]) / (levels[1] - levels[0])
    found[high] = quantiles[-1] + (share[high] - levels[-1]) * (quantiles[-1] - quantiles[-2]) / (levels[-1] - levels[-2])
    return found


def _day(paths: np.ndarray, history: History, day: int) -> Paths:
    """Slots of the clock [paths, slots] to the intervals that the day really has."""
    series = history.series
    start, end = calendar.day_bounds((history.days[-1] + pd.Timedelta(days=day + 1)).date(), series.zone)
    starts = pd.date_range(start, end, freq=series.interval, inclusive="left", tz="UTC")
    slots = calendar.clock_slots(starts, series.zone, series.interval)[1]
    return Paths(starts, paths[:, slots])
