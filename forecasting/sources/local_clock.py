"""Times in tables: with their offset from UTC, or on a local clock whose doubled and skipped hours are resolved by a stated rule.

A time that the clock skips does not exist, and its row is refused. A time that the clock shows twice is told by the rows around it.
Rows with such times that follow one another, with sure times before and after them, are a run. In a run that lies forward between
its neighbours, a time given twice is the first occurrence in the first of its rows and the second in the second; in one that lies
backward, the other way round; at an end of the table one neighbour is enough, and in a table of nothing else most of its steps
tell. Where rows say when they became known, a time may be given twice in each version. Given once only it is the occurrence that
lies on the series' grid, if the other does not (hourly readings of Lord Howe, whose clocks change by half an hour). Otherwise
nobody can say which it is, as in a table that is in no order, and its rows are refused.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from forecasting.calendar import EPOCH, grid_anchor
from forecasting.domain import Series
from forecasting.sources.tables import Chunk, times_of_pattern, times_with_offset, times_without_offset

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
        elif "%z" in self.pattern:
            times = times_of_pattern(text, self.pattern)
        else:
            times = pd.DatetimeIndex(np.full(len(text), np.datetime64("NaT", "us")), tz="UTC")
        kind = np.where(times.isna(), NO_TIME, GOOD)
        if self.zone is None or not times.hasnans:
            return times, kind
        naive = self.naive(text)
        told = np.asarray(naive.notna())
        sure = naive.tz_localize(self.zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
        first = self.occurrence(naive, first=True)
        kind = np.where(told, np.where(sure.notna(), GOOD, np.where(first.notna(), DOUBLED, SKIPPED)), kind)
        return _utc(np.where(told, sure.asi8, times.asi8)), kind

    def latest(self, text: pa.Array) -> pd.DatetimeIndex:
        """For cells without an offset: the latest moment that each can mean in UTC, if need be, after the hour that is skipped."""
        naive = self.naive(text)
        second = np.zeros(len(naive), dtype=bool)
        return naive.tz_localize(self.zone, ambiguous=second, nonexistent="shift_forward").tz_convert("UTC")

    def naive(self, text: pa.Array) -> pd.DatetimeIndex:
        """What the clock shows, for cells without an offset; NaT for others."""
        if self.pattern is None:
            return times_without_offset(text)
        if "%z" in self.pattern:
            return pd.DatetimeIndex(np.full(len(text), np.datetime64("NaT", "us")))
        return times_of_pattern(text, self.pattern)

    def occurrence(self, naive: pd.DatetimeIndex, *, first: bool) -> pd.DatetimeIndex:
        """UTC times of the first or the second occurrence of what the clock shows; NaT where it never does."""
        return naive.tz_localize(self.zone, ambiguous=np.full(len(naive), first), nonexistent="NaT").tz_convert("UTC")


@dataclass
class DoubledHours:
    """The rows of a table whose times the clock shows twice, kept until its end tells which occurrence each is."""

    clock: Clock
    time: str
    version: str | None = None
    """The column that says when a row became known."""
    rows: int = 0
    _chunks: list[Chunk] = field(default_factory=list)
    _runs: list[np.ndarray] = field(default_factory=list)
    _sure: int = 0
    _last: int = NOT_A_TIME
    _before: dict[int, int] = field(default_factory=dict)
    """The sure time before run n, which comes after n sure rows; so that after it is the one before n + 1."""

    def note(self, chunk: Chunk, times: pd.DatetimeIndex, kind: np.ndarray) -> None:
        """Keep the doubled rows of a chunk, and the sure times around them."""
        sure, doubled = np.flatnonzero(kind == GOOD), np.flatnonzero(kind == DOUBLED)
        edges = np.append(self._last, times.asi8[sure])
        after = np.searchsorted(sure, doubled)
        for place in {1, *after.tolist(), *(after + 1).tolist()}:
            if place < len(edges):
                self._before[self._sure + place] = int(edges[place])
        if len(doubled):
            positions = pa.array(doubled)
            self._chunks.append(Chunk({column: cells.take(positions) for column, cells in chunk.cells.items()}, []))
            self._runs.append(self._sure + after)
            self.rows += len(doubled)
        self._sure, self._last = self._sure + len(sure), int(edges[-1])

    def resolved(self, series: Series) -> tuple[Chunk, pd.DatetimeIndex] | None:
        """All doubled rows, with NaT where it cannot be told which occurrence is meant; None without any."""
        if not self._chunks:
            return None
        columns = self._chunks[0].cells
        whole = Chunk({name: pa.concat_arrays([chunk.cells[name] for chunk in self._chunks]) for name in columns}, [])
        run = np.concatenate(self._runs)
        naive = self.clock.naive(whole.cells[self.time])
        first, second = (self.clock.occurrence(naive, first=choice).as_unit("us").asi8 for choice in (True, False))
        number, given = self._numbered(whole, run, naive)
        forward, backward = self._direction(run, first, second)
        in_order = np.where((number == 0) == forward, first, second)
        first_fits, second_fits = _on_grid(first, series), _on_grid(second, series)
        unsure = np.where(first_fits & ~second_fits, first, np.where(second_fits & ~first_fits, second, NOT_A_TIME))
        told = np.where(given == 1, unsure, np.where((given == 2) & (forward | backward), in_order, NOT_A_TIME))
        return whole, _utc(told)

    def _numbered(self, whole: Chunk, run: np.ndarray, naive: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
        """The how-manieth row of its run (and version) with its time each is, and of how many."""
        rows = pd.DataFrame({"run": run, "shown": naive})
        same = rows.groupby(["run", "shown"])
        number, given = same.cumcount().to_numpy(), same["run"].transform("size").to_numpy()
        if self.version is None:
            return number, given
        versioned = rows.assign(version=whole.cells[self.version].to_pandas()).groupby(["run", "shown", "version"])
        few = given <= 2  # the versions of different rows may differ, where each says when it was published itself
        return np.where(few, number, versioned.cumcount()), np.where(few, given, versioned["run"].transform("size"))

    def _direction(self, run: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each row's run lies forward, or backward, between the sure times around it."""
        before, after = (np.array([self._before.get(n, NOT_A_TIME) for n in (run + step).tolist()]) for step in (0, 1))
        no_before, no_after = before == NOT_A_TIME, after == NOT_A_TIME
        forward = (no_before | (before < first)) & (no_after | (after > second))
        backward = (no_before | (before > second)) & (no_after | (after < first))
        steps = np.diff(first)
        runs_back = (steps < 0).sum() > (steps > 0).sum()  # of a table of nothing else
        both = forward & backward
        return forward & ~(both & runs_back), backward & ~(both & ~runs_back)


def _on_grid(us: np.ndarray, series: Series) -> np.ndarray:
    anchor = (grid_anchor(series.zone, series.interval) - EPOCH) // MICROSECOND
    return np.asarray((us - anchor) % (series.interval // MICROSECOND) == 0)


def _utc(us: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(us.view("datetime64[us]"), tz="UTC")
