"""Readings as plain arrays: what the checks work on, a hundred thousand rows at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecasting.calendar import EPOCH
from forecasting.frames import readings_frame

NO_TIME = np.iinfo(np.int64).min
"""In place of a time that is not there."""
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings as arrays; times in microseconds since 1970, NO_TIME where there is none."""

    start: np.ndarray
    value: np.ndarray
    known: np.ndarray | None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Rows":
        known = times_us(frame["known_at"]) if "known_at" in frame else None
        return cls(times_us(frame["interval_start"]), frame["value"].to_numpy(dtype=float), known)

    @classmethod
    def none(cls) -> "Rows":
        return cls(np.empty(0, dtype=np.int64), np.empty(0), None)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: "np.ndarray | slice") -> "Rows":
        return Rows(self.start[chosen], self.value[chosen], None if self.known is None else self.known[chosen])

    def __add__(self, other: "Rows") -> "Rows":
        if not len(self):
            return other
        if not len(other):
            return self
        known = None if self.known is None or other.known is None else np.concatenate([self.known, other.known])
        return Rows(np.concatenate([self.start, other.start]), np.concatenate([self.value, other.value]), known)

    def sorted(self) -> "Rows":
        """By time, and each row once."""
        if self.known is None and bool((self.start[1:] > self.start[:-1]).all()):
            return self
        keys = [self.value, self.start] if self.known is None else [self.value, self.known, self.start]
        return self[np.lexsort(keys)].once()

    def once(self) -> "Rows":
        """Sorted rows without those that say the same as the one before."""
        return self[np.concatenate([[True], ~(self._same() & (self.value[1:] == self.value[:-1]))])]

    def doubled(self) -> np.ndarray:
        """Rows of the same interval (and issue) as one beside them, in sorted rows."""
        same = self._same()
        return np.asarray(np.concatenate([[False], same]) | np.concatenate([same, [False]]))

    def _same(self) -> np.ndarray:
        """Of each row but the first: whether it is about the same interval (and issue) as the one before it."""
        same = self.start[1:] == self.start[:-1]
        return np.asarray(same if self.known is None else same & (self.known[1:] == self.known[:-1]))

    def frame(self) -> pd.DataFrame:
        return readings_frame(_index(self.start), self.value, None if self.known is None else _index(self.known))


def moment_us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def times_us(times: pd.Series) -> np.ndarray:
    return np.asarray(pd.DatetimeIndex(times).as_unit("us").asi8)


def _index(us: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(us.view("datetime64[us]"), tz="UTC")
