"""Readings as known at some moment, summed to complete local days: what every model trains on and forecasts from."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.domain import Series
from forecasting.errors import HistoryError

MAX_FILLED_SHARE = 0.2
"""More filled days than this among a model's inputs, and the forecast would rest on the filling."""


@dataclass(frozen=True)
class History:
    """Daily energy of complete local days without a hole.

    Invariants: `days` are consecutive naive midnights of `series.zone`; `energy_mwh` is finite; a day is `filled` when it was
    not fully read, and then holds the value of the same weekday a week before. A filled day may be an input, never a target.
    """

    series: Series
    days: pd.DatetimeIndex
    energy_mwh: np.ndarray
    filled: np.ndarray

    @property
    def origin(self) -> datetime:
        """The end of the last observed day, which is the start of the first one to forecast (UTC)."""
        return calendar.day_bounds(self.days[-1].date(), self.series.zone)[1]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the days, the values and what was filled: the same history always has the same one."""
        digest = hashlib.sha256(f"{self.series.series_id} {self.days[0]:%F} {len(self.days)}".encode())
        digest.update(self.energy_mwh.astype("<f8").tobytes())
        digest.update(self.filled.tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.days)


def daily_history(readings: pd.DataFrame, series: Series) -> History:
    """Sum readings to local days, keep complete ones, fill holes between them.

    Args:
        readings: columns `interval_start` (UTC) and `value` (MWh per interval), one row an interval, any order.

    Raises:
        HistoryError: not one complete day, or a hole in the first week that nothing before it can fill.
    """
    starts = pd.DatetimeIndex(readings["interval_start"])
    sums = readings["value"].groupby(calendar.local_days(starts, series.zone)).agg(["sum", "size"]).sort_index()
    if sums.empty:
        raise HistoryError(f"series {series.series_id} has no readings", "ingest some first: fortnight ingest")
    expected = calendar.intervals_in_days(pd.DatetimeIndex(sums.index), series.zone, series.interval)
    complete = sums["sum"][sums["size"].to_numpy() == expected]
    if complete.empty:
        raise HistoryError(
            f"series {series.series_id} has no complete local day among its {len(readings)} readings",
            f"check that its interval really is {series.interval}, or wait for a full day",
        )
    days = pd.date_range(complete.index[0], complete.index[-1], freq="D")
    energy = complete.reindex(days).to_numpy(dtype=float, copy=True)
    filled = np.isnan(energy)
    for position in np.flatnonzero(filled).tolist():
        if position < 7:
            raise HistoryError(
                f"series {series.series_id} lacks {days[position]:%F}, within its first week",
                f"ingest that day, or begin the history after it: no week before {days[7]:%F} can stand in",
            )
        energy[position] = energy[position - 7]
    return History(series, days, energy, filled)


def require_recent(history: History, as_of: datetime, past_days: int, horizon_days: int) -> None:
    """Refuse a history from which no useful forecast can start.

    Raises:
        HistoryError: every forecast day would lie before `as_of`, or too many of the input days were filled.
    """
    series, last = history.series, history.days[-1]
    if history.origin + timedelta(days=horizon_days) <= as_of:
        raise HistoryError(
            f"the newest complete day of series {series.series_id} is {last:%F}, so all {horizon_days} forecast days would lie "
            f"before the as-of time {as_of:%F %H:%M}Z",
            f"ingest newer readings, or replay the past with --as-of {last + pd.Timedelta(days=1):%F}",
        )
    holes = int(history.filled[-past_days:].sum())
    if holes > MAX_FILLED_SHARE * past_days:
        raise HistoryError(
            f"{holes} of the last {past_days} days of series {series.series_id} are incomplete",
            "ingest the missing readings, then run again",
        )
