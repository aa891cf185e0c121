"""Damage: how old and how broken the data are that a forecast starts from, re-enacted on earlier days to measure what it costs."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.calibration import Calibration
from forecasting.domain import DAILY, Information
from forecasting.errors import HistoryError
from forecasting.history import WEEK, History
from forecasting.models.base import Forecast
from forecasting.predicting import FittedModel, actual_mwh
from forecasting.windows import Layout

REENACTED = 28
"""Earlier origins from which a damaged forecast is tried."""
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with the data that a forecast starts from; days are counted back from the origin, 1 is the last day known.

    Args:
        age_days: local days between the origin and the day of the as-of time, which nothing is known of.
        filled: days on which readings of an earlier week stand in.
        no_temperature: days without measured temperature, for a model that looks at it.
        no_outlook: whether the weather forecast is missing, for a model that reads one.
    """

    age_days: int = 0
    filled: tuple[int, ...] = ()
    no_temperature: tuple[int, ...] = ()
    no_outlook: bool = False

    @classmethod
    def of(cls, history: History, layout: Layout, age_days: int) -> "Condition":
        """Of the days that a model reads."""
        back = range(1, min(layout.past_days, len(history)) + 1)
        celsius = history.temperature_c if layout.information is not Information.U else None
        return cls(
            age_days,
            tuple(day for day in back if history.filled[-day]),
            () if celsius is None else tuple(day for day in back if np.isnan(celsius[-day]).any()),
            layout.information is Information.F and len(history) not in history.outlooks_c,
        )

    @property
    def sound(self) -> bool:
        return self == Condition()

    @property
    def demand_faults(self) -> str:
        """What is wrong with the readings, in words; empty if nothing is."""
        told = [f"the readings end {self.age_days} days before the as-of day"] if self.age_days else []
        told += [f"readings of {len(self.filled)} recent days are missing, an earlier week stands in"] if self.filled else []
        return "; ".join(told)

    @property
    def weather_faults(self) -> str:
        """What is wrong with the weather, in words; empty if nothing is."""
        told = [f"temperatures of {len(self.no_temperature)} recent days are missing"] if self.no_temperature else []
        told += ["the weather forecast is missing"] if self.no_outlook else []
        return "; ".join(told)


def age_days(history: History, as_of: datetime) -> int:
    """Whole local days between the end of what is known and the day of `as_of`."""
    return int((as_of.astimezone(history.series.zone).date() - history.days[-1].date()).days) - 1


def reenacted(history: History, position: int, condition: Condition) -> History:
    """What would have been known at a position, had the data been in that condition then."""
    before = history.before(position)
    demand, filled = before.demand_mwh.copy(), before.filled.copy()
    for day in sorted(condition.filled, reverse=True):
        demand[-day], filled[-day] = demand[-day - WEEK], True
    celsius = None if before.temperature_c is None else before.temperature_c.copy()
    if celsius is not None:
        for day in condition.no_temperature:
            celsius[-day] = np.nan
    outlooks = {at: each for at, each in before.outlooks_c.items() if at != position or not condition.no_outlook}
    return replace(before, demand_mwh=demand, filled=filled, temperature_c=celsius, outlooks_c=outlooks)


def forecast_leads(model: FittedModel, history: History, leads: int) -> Forecast:
    """The days after the last one known [1, leads], MWh; beyond the model's own horizon it goes on from what it forecast itself.

    Raises:
        HistoryError: more than twice the horizon.
    """
    horizon, end = model.forecaster.layout.horizon_days, np.array([len(history)])
    first = model.forecast(history, end)
    if leads <= horizon:
        return Forecast(first.mean[:, :leads], first.quantiles[:, :leads])
    ahead = leads - horizon
    if ahead > horizon:
        raise HistoryError(
            f"{leads} days ahead are more than twice the {horizon} that {model.family} forecasts", "ingest newer readings"
        )
    longer = extended(history, first.median[0, :ahead])
    second = model.forecast(longer, np.array([len(longer)]))
    rest = slice(horizon - ahead, None)
    return Forecast(
        np.concatenate([first.mean, second.mean[:, rest]], axis=1),
        np.concatenate([first.quantiles, second.quantiles[:, rest]], axis=1),
    )


def extended(history: History, energy_mwh: np.ndarray) -> History:
    """A history with days of the given energy [days] put after it, shaped like those of its last week; they count as filled."""
    count, series = len(energy_mwh), history.series
    days = pd.date_range(history.days[-1] + pd.Timedelta(days=1), periods=count, freq="D")
    weights = calendar.clock_weights(days, series.zone, series.interval)
    shape = history.demand_mwh[-WEEK:][np.arange(count) % WEEK]
    gap = (energy_mwh - (shape * weights).sum(axis=1)) / weights.sum(axis=1)
    celsius, outlook = history.temperature_c, history.outlooks_c.get(len(history))
    if celsius is not None:
        coming = np.full((count, history.slots), np.nan)
        if outlook is not None:
            coming[: len(outlook)] = outlook[:count]
        celsius = np.concatenate([celsius, coming])
    outlooks = dict(history.outlooks_c)
    if outlook is not None and len(outlook) > count:
        outlooks[len(history) + count] = outlook[count:]
    return replace(
        history,
        days=pd.DatetimeIndex(history.days.append(days)),
        demand_mwh=np.concatenate([history.demand_mwh, shape + gap[:, None]]),
        weights=np.concatenate([history.weights, weights]),
        filled=np.concatenate([history.filled, np.ones(count, dtype=bool)]),
        temperature_c=celsius,
        outlooks_c=outlooks,
    )


def widening(model: FittedModel, history: History, condition: Condition, leads: int) -> Calibration:
    """What the bands of a forecast in this condition must be multiplied by, from the errors that the same condition would have
    caused on earlier days; nothing where the data are sound and the model reaches far enough.

    Raises:
        HistoryError: too few earlier days to try it on.
    """
    if condition.sound and leads <= model.forecaster.layout.horizon_days:
        return Calibration.none(leads)
    last = len(history) - leads
    earliest = model.forecaster.layout.past_days + 2 * WEEK
    clean = [at for at in range(last, earliest, -1) if not history.filled[at : at + leads].any()][:REENACTED]
    if len(clean) < FEWEST:
        raise HistoryError(
            f"only {len(clean)} earlier origins tell what {model.family} makes of such data, {FEWEST} are needed",
            "bring older readings, or ingest the missing ones",
        )
    tried = [forecast_leads(model, reenacted(history, at, condition), leads) for at in clean]
    forecast = Forecast(np.concatenate([each.mean for each in tried]), np.concatenate([each.quantiles for each in tried]))
    return Calibration.fit(forecast, actual_mwh(history, np.array(clean), DAILY, leads), per_day=1)
