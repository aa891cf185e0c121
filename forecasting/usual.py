"""What is usual for a series, learnt from the readings that were accepted."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from forecasting.domain import Quantity, Series

LEARNT_FROM = timedelta(days=7)
"""With fewer readings than a week's nothing is usual yet."""
SPREADS = 2.5
"""How far beyond the 5 % and 95 % quantiles a reading may lie, in distances between the two. On the half-hours of Victoria in
2012-2014 the record of the heat wave lay at 1.2."""
SEASONS, LITTLE = timedelta(days=180), 3.0
"""With fewer readings than that, some seasons were not seen: the range is this many times as wide. The farthest true temperature of
Victoria lay 6.0 distances beyond a single earlier week."""
FAR_FROM_ZERO, LEAST_SHARE = 0.25, 0.1
"""Demand whose 5 % quantile is more than a quarter of its median never comes near zero: what is below a tenth of that quantile are
the zeros of a broken meter."""
STEPS = 4.0
"""A spike is this many times the 99 % quantile of what is usual between neighbours; the largest true one of Victoria was 1.6."""
MOST_STEPS = 10.0
"""But no more than this many times the 90 % quantile, which up to 3 % of spikes do not move (each is three distances)."""
LEAST_STEP, LEAST_STEP_C = 0.05, 3.0
"""What is smaller is no spike however smooth the series is: a share of the usual demand, and degrees of temperature."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for a series, in its unit: its median, the range beyond which nothing is believed, how far a reading lies from
    the mean of its neighbours, and from the one before it."""

    level: float
    low: float
    high: float
    step: float
    jump: float


def learn(readings: pd.DataFrame, series: Series, *, may_be_negative: bool = False) -> Usual | None:
    """What is usual among readings, which are in order of time, by quantiles that a few bad ones among them do not move; None for
    less than a week of them.

    Args:
        may_be_negative: demand that passes through zero, so small values prove nothing.
    """
    value = readings["value"].to_numpy(dtype=float)
    if series.quantity is Quantity.HOLIDAY or len(value) < LEARNT_FROM // series.interval:
        return None
    low, level, high = np.quantile(value, (0.05, 0.5, 0.95))
    reach = SPREADS * (high - low) * (LITTLE if len(value) < SEASONS // series.interval else 1)
    comes_near_zero = series.quantity.is_weather or may_be_negative or low < FAR_FROM_ZERO * level
    lowest = low - reach if comes_near_zero else max(low - reach, LEAST_SHARE * low)
    step, jump = (_far(np.abs(apart)) for apart in (from_neighbours(value), np.diff(value)))
    floor = LEAST_STEP_C if series.quantity.is_weather else LEAST_STEP * abs(level)
    return Usual(float(level), float(lowest), float(high + reach), max(floor, step), max(2 * floor, jump))


def _far(apart: np.ndarray) -> float:
    usual, most = np.quantile(apart, (0.9, 0.99))
    return float(min(STEPS * most, MOST_STEPS * usual) if usual else STEPS * most)


def from_neighbours(value: np.ndarray) -> np.ndarray:
    return np.asarray(value[1:-1] - (value[:-2] + value[2:]) / 2)
