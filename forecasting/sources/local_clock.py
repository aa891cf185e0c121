"""Times in tables: with their offset from UTC, or on a local clock whose doubled and skipped hours are resolved by a stated rule.

A time that the clock skips does not exist, and its row is refused. A time that the clock shows twice is the first occurrence in the
first row that gives it and the second in the second, if the table runs forward; the other way round if it runs backward (its last
time is before its first). Given once only it is the occurrence that lies on the series' grid, if the other does not (hourly
readings of Lord Howe, whose clocks change by half an hour). Otherwise nobody can say which it is, and its rows are refused.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecasting.calendar import EPOCH, grid_anchor
from forecasting.domain import Series
from forecasting.sources.tables import Chunk, times_with_offset, times_without_offset

GOOD, NO_TIME, SKIPPED, DOUBLED = range(4)
NOT_A_TIME = np.iinfo(np.int64).min
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Clock:
    """How a table writes times: ISO 8601 or `pattern` (as strptime takes it), with offsets, or on the clocks of `zone`."""

    zone: ZoneInfo | None
    pattern: str | None

    def read(self, text: pa.Array) -> tuple[pd.DatetimeIndex, np.ndarray]:
        """UTC times with NaT where there is none, and what each cell is: GOOD, NO_TIME, SKIPPED or DOUBLED."""
        if self.pattern is None:
            times = times_with_offset(text)
            naive = times_without_offset(text) if self.zone and times.hasnans else None
        elif "%z" in self.pattern:
            parsed = pd.to_datetime(text.to_pandas(), format=self.pattern, utc=True, errors="coerce")
            times, naive = pd.DatetimeIndex(parsed).as_unit("us"), None
        else:
            naive = pd.DatetimeIndex(pc.strptime(text, format=self.pattern, unit="us", error_is_null=True).to_pandas())
            times = pd.DatetimeIndex(np.full(len(text), np.datetime64("NaT", "us")), tz="UTC")
        kind = np.where(times.isna(), NO_TIME, GOOD)
        if naive is None or self.zone is None:
            return times, kind
        told = np.asarray(naive.notna())
        sure = naive.tz_localize(self.zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
        first = self.occurrence(naive, first=True)
        kind = np.where(told, np.where(sure.notna(), GOOD, np.where(first.notna(), DOUBLED, SKIPPED)), kind)
        return pd.DatetimeIndex(np.where(told, sure.asi8, times.asi8).view("datetime64[us]"), tz="UTC"), kind

    def naive(self, text: pa.Array) -> pd.DatetimeIndex:
        """What the clock shows, for cells without an offset."""
        if self.pattern is None:
            return times_without_offset(text)
        return pd.DatetimeIndex(pc.strptime(text, format=self.pattern, unit="us", error_is_null=True).to_pandas())

    def occurrence(self, naive: pd.DatetimeIndex, *, first: bool) -> pd.DatetimeIndex:
        """UTC times of the first or the second occurrence of what the clock shows; NaT where it never does."""
        return naive.tz_localize(self.zone, ambiguous=np.full(len(naive), first), nonexistent="NaT").tz_convert("UTC")


@dataclass
class DoubledHours:
    """The rows of a table whose times the clock shows twice, kept until its end tells which occurrence each is."""

    clock: Clock
    time: str
    chunks: list[Chunk] = field(default_factory=list)
    _first: int | None = None
    _last: int | None = None

    def note(self, chunk: Chunk, times: pd.DatetimeIndex, kind: np.ndarray) -> None:
        """Keep the doubled rows of a chunk, and see which way the table runs."""
        good = times.asi8[kind == GOOD]
        if len(good):
            self._first = int(good[0]) if self._first is None else self._first
            self._last = int(good[-1])
        doubled = pa.array(np.flatnonzero(kind == DOUBLED))
        if len(doubled):
            self.chunks.append(Chunk({column: cells.take(doubled) for column, cells in chunk.cells.items()}, []))

    def resolved(self, series: Series) -> tuple[Chunk, pd.DatetimeIndex] | None:
        """All doubled rows, with NaT where it cannot be told which occurrence is meant; None without any."""
        if not self.chunks:
            return None
        columns = self.chunks[0].cells
        whole = Chunk({name: pa.concat_arrays([chunk.cells[name] for chunk in self.chunks]) for name in columns}, [])
        naive = self.clock.naive(whole.cells[self.time])
        number = pd.Series(naive).groupby(naive).cumcount().to_numpy()
        given = pd.Series(naive).groupby(naive).transform("size").to_numpy()
        backward = self._first is not None and self._last is not None and self._last < self._first
        is_first = number == (1 if backward else 0)
        first, second = (self.clock.occurrence(naive, first=choice).as_unit("us").asi8 for choice in (True, False))
        first_fits, second_fits = _on_grid(first, series), _on_grid(second, series)
        unsure = np.where(first_fits & ~second_fits, first, np.where(second_fits & ~first_fits, second, NOT_A_TIME))
        told = np.where(given == 2, np.where(is_first, first, second), np.where(given == 1, unsure, NOT_A_TIME))
        return whole, pd.DatetimeIndex(told.view("datetime64[us]"), tz="UTC")


def _on_grid(us: np.ndarray, series: Series) -> np.ndarray:
    anchor = (grid_anchor(series.zone, series.interval) - EPOCH) // MICROSECOND
    return np.asarray((us - anchor) % (series.interval // MICROSECOND) == 0)
