"""Readings as known at some moment, summed to complete local days: what every model trains on and forecasts from."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.domain import Series
from forecasting.errors import HistoryError
from forecasting.filling import INTERPOLATED, MEASURED, fill_gaps

WEEK = 7
MAX_FILLED_SHARE = 0.2
"""More filled days than this among a model's inputs, and the forecast would rest on the filling."""


@dataclass(frozen=True)
class History:
    """Daily energy of complete local days without a hole.

    Invariants: `days` are consecutive naive midnights of `series.zone`; `energy_mwh` is finite; a day is `filled` when readings of
    an earlier week stand in it (`filling`). A filled day may be an input, never a target.
    """

    series: Series
    days: pd.DatetimeIndex
    energy_mwh: np.ndarray
    filled: np.ndarray

    @property
    def origin(self) -> datetime:
        """The end of the last observed day, which is the start of the first one to forecast (UTC)."""
        return calendar.day_bounds(self.days[-1].date(), self.series.zone)[1]

    def start_of(self, position: int) -> datetime:
        """The start of one of its days (UTC); negative positions count from the end."""
        return calendar.day_start(self.days[position].date(), self.series.zone)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that a model sees of it: series, region (for holidays), zone, days, values, and what was filled."""
        series = self.series
        told = f"{series.series_id} {series.region} {series.time_zone} {self.days[0]:%F} {len(self.days)}"
        digest = hashlib.sha256(told.encode())
        digest.update(self.energy_mwh.astype("<f8").tobytes())
        digest.update(self.filled.tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.days)


def daily_history(readings: pd.DataFrame, series: Series) -> History:
    """Fill the holes between readings (`filling`) and sum to complete local days. What lies before a hole that cannot be filled is
    left out.

    Args:
        readings: columns `interval_start` (UTC) and `value` (MWh per interval), one row an interval, any order.

    Raises:
        HistoryError: not one complete day.
    """
    if readings.empty:
        raise HistoryError(f"series {series.series_id} has no readings", "ingest some first: fortnight ingest")
    whole = fill_gaps(readings, series)
    whole["invented"] = ~whole["filled"].isin((MEASURED, INTERPOLATED))
    starts = pd.DatetimeIndex(whole["interval_start"])
    sums = whole.groupby(calendar.local_days(starts, series.zone)).agg(
        energy=("value", "sum"), count=("value", "count"), filled=("invented", "any")
    )
    days = pd.date_range(sums.index[0], sums.index[-1], freq="D")
    sums = sums.reindex(days)
    complete = sums["count"].to_numpy() == calendar.intervals_in_days(days, series.zone, series.interval)
    if not complete.any():
        raise HistoryError(
            f"series {series.series_id} has no complete local day among its {len(readings)} readings",
            f"check that its interval really is {series.interval}, or wait for a full day",
        )
    last = int(np.flatnonzero(complete)[-1])
    holes = np.flatnonzero(~complete[:last])
    kept = slice(int(holes[-1]) + 1 if len(holes) else 0, last + 1)
    filled = sums["filled"].to_numpy(dtype=object)[kept].astype(bool)
    return History(series, days[kept], sums["energy"].to_numpy(dtype=float)[kept], filled)


def require_recent(history: History, as_of: datetime, past_days: int, horizon_days: int) -> None:
    """Refuse a history from which no useful forecast can start.

    Raises:
        HistoryError: fewer days than a model reads, every forecast day before `as_of`, or too many of the input days filled.
    """
    series, last = history.series, history.days[-1]
    if len(history) < past_days:
        raise HistoryError(
            f"series {series.series_id} has {len(history)} usable days up to {last:%F}, too little history: "
            f"the model reads {past_days}",
            "choose a later --as-of or bring older readings",
        )
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
