"""What goes wrong with real feeds, for the simulated one to play.

Chance is a hash of seed, series, fault and the time concerned, so the same stretch asked for at the same moment always gets the
same answer, and so does each part of it.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecasting import calendar
from forecasting.domain import Series
from forecasting.errors import SourceError
from forecasting.frames import readings_frame

Share = Annotated[float, Field(ge=0, le=1)]
Hours = Annotated[float, Field(gt=0, le=24 * 366)]
ONE_DAY = timedelta(days=1)

Truth = Callable[[Series, datetime, datetime], pd.DataFrame]


class Faults(BaseModel):
    """How often each fault happens, and how. All are off. A day is a UTC date.

    A reading is due when its interval has ended and the series' publication delay has passed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    late: Share = 0.0
    """Of days: their readings arrive `late_hours` after they are due, and are absent before."""
    late_hours: Hours = 30.0
    corrected: Share = 0.0
    """Of readings: first delivered 1 to 5 % off, and right from `corrected_hours` after they are due."""
    corrected_hours: Hours = 48.0
    missing: Share = 0.0
    """Of readings: never delivered."""
    doubled: Share = 0.0
    """Of readings: given twice."""
    conflicting: Share = 0.0
    """Of readings: given twice, 3 % apart."""
    spiked: Share = 0.0
    """Of readings: `spike_factor` times too large, for ever."""
    spike_factor: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    frozen: Share = 0.0
    """Of days: one value is repeated for `frozen_hours` of the day, for ever."""
    frozen_hours: Annotated[float, Field(gt=0, le=24)] = 12.0
    scaled: Share = 0.0
    """Of days: their values come in kWh, for ever."""
    renamed: Share = 0.0
    """Of days on which the feed is asked: its demand column has another name."""
    outage: Share = 0.0
    """Of days on which the feed is asked: it cannot be reached."""


def refuse_if_broken(faults: Faults, seed: int, series: Series, until: datetime) -> None:
    """Fail as a real feed does on the days when it is down or has changed.

    Raises:
        SourceError: an outage, or a renamed column.
    """
    today = np.array([(until - calendar.EPOCH) // ONE_DAY])
    name, day = f"the simulated feed of series {series.series_id}", f"{until:%F}"
    if _happens("outage", faults.outage, seed, series, today)[0]:
        raise SourceError(f"{name} cannot be reached on {day}", "this outage is simulated: try again on another day")
    if _happens("renamed", faults.renamed, seed, series, today)[0]:
        raise SourceError(
            f"{name} changed on {day}: column demand_mwh is gone; its columns are interval_start, load_mwh",
            "this change is simulated: try again on another day",
        )


def as_delivered(faults: Faults, seed: int, series: Series, truth: Truth, readings: pd.DataFrame, until: datetime) -> pd.DataFrame:
    """What the feed gives at `until` in place of the true `readings`, which are consecutive; at most two rows for each of them."""
    if faults == Faults():
        return readings

    def happens(fault: str, numbers: np.ndarray) -> np.ndarray:
        return _happens(fault, getattr(faults, fault), seed, series, numbers)

    starts = pd.DatetimeIndex(readings["interval_start"])
    day, number = _numbers(starts, ONE_DAY), _numbers(starts, series.interval)
    age_h = np.asarray((pd.Timestamp(until) - starts - series.interval - series.publication_delay) / pd.Timedelta(hours=1))
    values = readings["value"].to_numpy()
    if faults.frozen:
        values = _frozen(faults, seed, series, truth, readings)
    values = np.where(happens("spiked", number), values * faults.spike_factor, values)
    values = np.where(happens("scaled", day), values * 1000, values)
    uncorrected = happens("corrected", number) & (age_h < faults.corrected_hours)
    values = np.where(uncorrected, values * _first_guess(seed, series, number), values).round(3)

    held_back = happens("late", day) & (age_h < faults.late_hours)
    conflicting = happens("conflicting", number)
    times = np.where(conflicting | happens("doubled", number), 2, 1)
    times[held_back | happens("missing", number)] = 0
    rows = np.repeat(np.arange(len(values)), times)
    is_second = np.concatenate([[False], rows[1:] == rows[:-1]])[: len(rows)]
    values = values[rows]
    values[is_second & conflicting[rows]] *= 1.03
    return readings_frame(starts[rows], values.round(3))


def _frozen(faults: Faults, seed: int, series: Series, truth: Truth, readings: pd.DataFrame) -> np.ndarray:
    """The values with some stretches stuck at the value that begins them; each lies within one UTC day."""
    starts = pd.DatetimeIndex(readings["interval_start"])
    before = truth(series, starts[0].floor("D").to_pydatetime(), starts[0].to_pydatetime())  # a stretch may have begun in there
    values = np.concatenate([before["value"].to_numpy(), readings["value"].to_numpy()])
    starts = pd.DatetimeIndex(pd.concat([before["interval_start"], readings["interval_start"]]))
    day = _numbers(starts, ONE_DAY)
    slot = np.asarray((starts - starts.floor("D")) // pd.Timedelta(series.interval))
    per_day = ONE_DAY // series.interval
    length = min(max(round(timedelta(hours=faults.frozen_hours) / series.interval), 1), per_day)
    begins = (_uniform("frozen from", seed, series, day) * (per_day - length + 1)).astype(int)
    stuck = _happens("frozen", faults.frozen, seed, series, day) & (slot >= begins) & (slot < begins + length)
    position = np.arange(len(values))
    return np.asarray(values[np.where(stuck, position - (slot - begins), position)][len(before) :])


def _first_guess(seed: int, series: Series, number: np.ndarray) -> np.ndarray:
    """Factors from 0.95 to 0.99 and from 1.01 to 1.05."""
    chance = 2 * _uniform("corrected by", seed, series, number) - 1
    return np.asarray(1 + np.sign(chance) * (0.01 + 0.04 * np.abs(chance)))


def _numbers(starts: pd.DatetimeIndex, length: timedelta) -> np.ndarray:
    return np.asarray((starts - pd.Timestamp(calendar.EPOCH)) // pd.Timedelta(length))


def _happens(fault: str, share: float, seed: int, series: Series, numbers: np.ndarray) -> np.ndarray:
    return _uniform(fault, seed, series, numbers) < share


def _uniform(purpose: str, seed: int, series: Series, numbers: np.ndarray) -> np.ndarray:
    """A number from [0, 1) for each of `numbers`, by SplitMix64 (Steele, Lea and Flood 2014) keyed by seed, series and purpose."""
    digest = hashlib.blake2b(f"{seed}/{series.demand_id}/{purpose}".encode(), digest_size=8).digest()
    z = np.uint64(int.from_bytes(digest)) + numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 2.0**53)
