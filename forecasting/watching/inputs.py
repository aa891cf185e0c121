"""Has what the model reads moved out of what it was trained on? The newest weeks beside the same season of the years before.

Digest, not page: a heat wave is out of the ordinary too, and no fault. Two things count for demand and for temperature: the median
distance to the usual day of the season, where it is large both by itself and in units of what such days scatter; and the share of
days beyond the widened range of the season. For demand the shape of the day counts too: which share of its energy lies in other
slots than usual.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from forecasting import calendar
from forecasting.drift import State
from forecasting.history import History
from forecasting.settings import InputSettings

RANGE = (0.05, 0.5, 0.95)
SDS = 3.29
"""Standard deviations of a normal distribution between its 5 % and 95 % quantiles."""
YEAR = 365


class Input(StrEnum):
    """What was looked at."""

    DEMAND = "daily demand"
    SHAPE = "shape of the day"
    TEMPERATURE = "temperature"


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the newest days lie in what the same season was like.

    distance: median over the days of demand as a ratio less one, of temperature in degrees, of shape the share of energy moved.
    z: the same in standard deviations of single days; none for shape.
    above, below: shares of days beyond the widened range.
    """

    of: Input
    state: State
    distance: float | None = None
    z: float | None = None
    above: float = 0.0
    below: float = 0.0

    def __str__(self) -> str:
        if self.distance is None:
            return f"{self.of}: {self.state}"
        if self.of is Input.SHAPE:
            return f"{self.of}: {self.distance:.1%} of the energy lies in other hours than usual"
        told = f"{self.distance:+.1f} C" if self.of is Input.TEMPERATURE else f"{self.distance:+.0%}"
        return f"{self.of}: {told} from what the season was like, {self.above + self.below:.0%} of days beyond its range"


def judge_inputs(history: History, settings: InputSettings) -> list[Moved]:
    """Judge demand, the shape of the day, and temperature where there is any, over the newest `settings.days` days.

    Args:
        history: all that the model was trained on, and the days after.

    Raises:
        SettingsError: no holiday table for the region of the series.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = np.where(history.energy_mwh > 0, np.log(history.energy_mwh), np.nan)
    energy[history.filled] = np.nan
    free = calendar.free_days(history.days, history.series.region) > 0
    found = [
        _judged(Input.DEMAND, energy, _mates(history, free, settings), settings, settings.min_level, math.expm1),
        _shape(history, free, settings),
    ]
    if history.temperature_c is not None:
        known = np.isfinite(history.temperature_c)
        mean = np.where(known, history.temperature_c, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        warmth = np.where(known.mean(axis=1) >= settings.min_known, mean, np.nan)
        mates = _mates(history, np.zeros(len(history), dtype=bool), settings)
        found.append(_judged(Input.TEMPERATURE, warmth, mates, settings, settings.min_warmth_c, float))
    return found


def missing_temperature(history: History, days: int) -> float:
    """Share of the newest days' slots without a temperature; 1 where none is stored at all."""
    return 1.0 if history.temperature_c is None else float(np.isnan(history.temperature_c[-days:]).mean())


def _mates(history: History, free: np.ndarray, settings: InputSettings) -> list[np.ndarray]:
    """For each of the newest days, positions of earlier ones of the same season, and as free of work as it is."""
    season = np.asarray(history.days.day_of_year)
    first = max(0, len(history) - settings.days)
    found = []
    for at in range(first, len(history)):
        apart = np.abs(season[:first] - season[at])
        near = np.minimum(apart, YEAR - apart) <= settings.season_days
        found.append(np.flatnonzero(near & (free[:first] == free[at])))
    return found


def _judged(
    of: Input,
    values: np.ndarray,
    mates: list[np.ndarray],
    settings: InputSettings,
    least: float,
    told: Callable[[float], float],
) -> Moved:
    """`values` [days], nan where unknown; `told` turns a distance between them into what is reported."""
    newest = values[len(values) - len(mates) :]
    known = [(now, values[near][np.isfinite(values[near])]) for now, near in zip(newest, mates, strict=True) if np.isfinite(now)]
    known = [(now, earlier) for now, earlier in known if len(earlier) >= settings.min_mates]
    if len(known) < settings.days / 2 or len(values) < YEAR:
        return Moved(of, State.TOO_EARLY)
    low, usual, high = np.array([np.quantile(earlier, RANGE) for _, earlier in known]).T
    now, width = np.array([now for now, _ in known]), high - low
    distance = float(np.median(now - usual))
    z = distance / max(float(np.median(width)) / SDS, 1e-12)
    above = float((now > high + settings.widened * width).mean())
    below = float((now < low - settings.widened * width).mean())
    far = abs(distance) >= least and abs(z) >= settings.min_z
    state = State.DRIFTING if far or max(above, below) >= settings.min_outside else State.STEADY
    return Moved(of, state, told(distance), z, above, below)


def _shape(history: History, free: np.ndarray, settings: InputSettings) -> Moved:
    """Total variation distance between the mean working day of the newest days and of the same season before."""
    usable = ~free & ~history.filled & (history.energy_mwh > 0)
    first = len(history) - settings.days
    mates = np.unique(np.concatenate(_mates(history, free, settings))) if first >= YEAR else np.array([], dtype=int)
    before, newest = mates[usable[mates]], np.flatnonzero(usable[max(first, 0) :]) + max(first, 0)
    if len(before) < settings.min_mates or len(newest) < settings.days / 3:
        return Moved(Input.SHAPE, State.TOO_EARLY)
    energy = history.demand_mwh * history.weights
    shares = [(energy[chosen] / energy[chosen].sum(axis=1, keepdims=True)).mean(axis=0) for chosen in (before, newest)]
    moved = float(np.abs(shares[1] - shares[0]).sum()) / 2
    return Moved(Input.SHAPE, State.DRIFTING if moved >= settings.min_moved_share else State.STEADY, moved)
