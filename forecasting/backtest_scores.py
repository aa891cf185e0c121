"""How a backtest went: overall, by lead and kind of day, in the tail, and for the events that people act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from forecasting import calendar, metrics
from forecasting.backtest import HORIZON_DAYS, YEAR_DAYS, Backtest, interval_places
from forecasting.domain import DAILY, LEVELS, QUANTILES
from forecasting.history import History
from forecasting.models.base import Forecast

TAIL_LEVELS = (0.95, 0.99)
EVENT_LEVELS = (0.90, 0.97)
"""An event is a daily peak above this quantile of the daily peaks of the year before the origin."""
SEASON_DAYS = 45
"""The climatology of a day: the days of the year before the origin at most so many days from the same day of the year."""
HOT_SHARE = 0.9
"""A hot day has a maximum temperature above this quantile of all days known before the first origin."""
BINS = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 1.0)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Table = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Event:
    """Brier scores (Brier 1950) of the probability of an event: of the model, of the season's frequency in the year before, and of
    the share that defines it. reliability: by bin of forecast probability, its mean, how often the event came, and how many."""

    level: float
    happened: float
    brier: float
    brier_season: float
    brier_share: float
    reliability: Table


@dataclass(frozen=True)
class Scores:
    """overall and groups (by lead, weekday, month, kind of day): see `_scored`. tail: pinball loss of model and climatology by
    level.
    calibration: share of actual values below each level. Energy in MWh."""

    overall: Mapping[str, float]
    groups: Mapping[str, Table]
    tail: Table
    calibration: Mapping[str, float]
    events: tuple[Event, ...]


def scores(backtest: Backtest) -> Scores:
    """Score everything. MSE is in units of the sd of the energy before the first origin, MASE of the weekly naive error there;
    skill is one less pinball loss over that of the weekly naive forecast on the same pairs."""
    history, steps = backtest.history, backtest.actual.shape[1]
    per_day = steps // HORIZON_DAYS
    lead = np.arange(steps) // per_day
    at = backtest.origins[:, None] + lead
    past = history.before(int(backtest.origins[0]))
    daily = backtest.plan.resolution == DAILY
    in_order = interval_places(past, 0, int(past.weights.sum()))
    train = past.energy_mwh if daily else past.demand_mwh.ravel()[in_order]
    spread, scale = float(train.std(ddof=1)), metrics.seasonal_scale(train, 7 * per_day)

    def scored(rows: np.ndarray) -> dict[str, float]:
        return _scored(backtest, rows, spread, scale)

    days = history.days[at.ravel()]
    weekday, month = (np.asarray(each).reshape(at.shape) for each in (days.day_of_week, days.month))
    closed = calendar.public_holidays(history.series.region, tuple(range(history.days[0].year, history.days[-1].year + 1)))
    holiday = np.array([day.date() in closed for day in history.days])[at]
    kinds = {"working day": (weekday < 5) & ~holiday, "weekend": (weekday >= 5) & ~holiday, "holiday": holiday}
    if (hot := _hot_days(history, len(past))) is not None:
        kinds["hot day"] = hot[at]
    everywhere = np.ones(at.shape, dtype=bool)
    groups = {
        "lead": {f"day {day + 1}": everywhere & (lead == day) for day in range(HORIZON_DAYS)},
        "weekday": {name: weekday == day for day, name in enumerate(WEEKDAYS)},
        "month": {f"{number:02d}": month == number for number in range(1, 13)},
        "kind": kinds,
    }
    levels = backtest.model.quantiles
    return Scores(
        scored(everywhere),
        {group: {name: scored(rows) for name, rows in members.items() if rows.any()} for group, members in groups.items()},
        _tail(backtest, at),
        {f"{level:g}": float((backtest.actual <= levels[..., i]).mean()) for i, level in enumerate(LEVELS)},
        _events(backtest),
    )


def _scored(backtest: Backtest, rows: np.ndarray, spread: float, scale: float) -> dict[str, float]:
    actual, naive, model = backtest.actual[rows], _published(backtest.naive)[rows], _published(backtest.model)[rows]
    error, median = backtest.model.mean[rows] - actual, model[..., len(QUANTILES) // 2]
    loss, reference = (metrics.mean_pinball(actual, quantiles, QUANTILES) for quantiles in (model, naive))
    return {
        "mse": float((error**2).mean()) / spread**2,
        "bias": float(error.mean()),
        "mape": metrics.mape(actual, median),
        "mase": metrics.mase(actual, median, scale),
        "pinball": loss,
        "coverage_80": metrics.coverage(actual, model[..., 0], model[..., -1]),
        "skill": 1 - loss / reference,
        "pairs": int(rows.sum()),
    }


def _published(forecast: Forecast) -> np.ndarray:
    return np.stack([forecast.level(level) for level in QUANTILES], axis=-1)


def _hot_days(history: History, before: int) -> np.ndarray | None:
    """[days], False where the temperature is not known throughout; None where none is known before the first origin."""
    if history.temperature_c is None:
        return None
    warmest = history.temperature_c.max(axis=1)
    known = warmest[:before][np.isfinite(warmest[:before])]
    if not len(known):
        return None
    hot: np.ndarray = np.nan_to_num(warmest, nan=-np.inf) > np.quantile(known, HOT_SHARE)
    return hot


def _season(history: History, origin: int, lead: int) -> np.ndarray:
    """Positions of the days of the year before an origin that lie in the season of a target day."""
    year = np.arange(max(0, origin - YEAR_DAYS), origin)
    off = np.abs(np.asarray(history.days.day_of_year)[year] - (history.days[0] + _days(origin + lead)).day_of_year)
    near: np.ndarray = year[np.minimum(off, 366 - off) <= SEASON_DAYS]
    return near


def _tail(backtest: Backtest, at: np.ndarray) -> Table:
    history = backtest.history
    if backtest.origins[0] < YEAR_DAYS:
        return {}
    per_day = at.shape[1] // HORIZON_DAYS
    values = history.energy_mwh[:, None] if per_day == 1 else history.demand_mwh
    found = {}
    climate = np.empty((len(at), HORIZON_DAYS, values.shape[1], len(TAIL_LEVELS)))
    for row, origin in enumerate(backtest.origins.tolist()):
        for lead in range(HORIZON_DAYS):
            climate[row, lead] = np.quantile(values[_season(history, origin, lead)], TAIL_LEVELS, axis=0).T
    for i, level in enumerate(TAIL_LEVELS):
        found[f"{level:g}"] = {
            "model": metrics.pinball(backtest.actual, backtest.model.level(level), level),
            "climatology": metrics.pinball(backtest.actual, climate[..., i].reshape(backtest.actual.shape), level),
        }
    return found


def _events(backtest: Backtest) -> tuple[Event, ...]:
    history, origins, quantiles = backtest.history, backtest.origins, backtest.model.peak
    if quantiles is None or origins[0] < YEAR_DAYS:
        return ()
    peaks = np.where(history.weights > 0, history.demand_mwh, -np.inf).max(axis=1)
    came = peaks[origins[:, None] + np.arange(HORIZON_DAYS)]
    found = []
    for level in EVENT_LEVELS:
        threshold = np.array([np.quantile(peaks[origin - YEAR_DAYS : origin], level) for origin in origins])
        happened = came > threshold[:, None]
        chance, season = np.empty(came.shape), np.empty(came.shape)
        for row, origin in enumerate(origins.tolist()):
            for lead in range(HORIZON_DAYS):
                below = np.interp(threshold[row], quantiles[row, lead], LEVELS, left=LEVELS[0] / 2, right=1 - LEVELS[0] / 2)
                chance[row, lead] = 1 - below
                season[row, lead] = (peaks[_season(history, origin, lead)] > threshold[row]).mean()
        found.append(
            Event(
                level,
                float(happened.mean()),
                float(((chance - happened) ** 2).mean()),
                float(((season - happened) ** 2).mean()),
                float(((1 - level - happened) ** 2).mean()),
                _reliability(chance, happened),
            )
        )
    return tuple(found)


def _reliability(chance: np.ndarray, happened: np.ndarray) -> Table:
    table = {}
    for low, high in pairwise(BINS):
        rows = (chance >= low) & ((chance < high) | (high == BINS[-1]))
        if rows.any():
            table[f"{low:g} to {high:g}"] = {
                "forecast": float(chance[rows].mean()),
                "observed": float(happened[rows].mean()),
                "pairs": int(rows.sum()),
            }
    return table


def _days(count: int) -> "np.timedelta64":
    return np.timedelta64(count, "D")
