"""Readings as known at some moment, laid out on the local clock: what every model trains on and forecasts from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
LONGEST_BRIDGE = timedelta(hours=6)
"""A longer hole between temperatures is not bridged by a straight line."""


@dataclass(frozen=True)
class History:
    """Complete local days without a hole, each laid out on the slots of the local clock.

    A day of 23 hours has slots of weight 0 (the clock skips them; their value lies between their neighbours), a day of 25 hours
    has slots of weight 2 (the clock shows them twice; their value is the mean), so that sums over weights are exact on every day.

    Args:
        days: consecutive naive midnights of `series.zone`.
        demand_mwh: [days, slots], energy of one interval, finite.
        weights: [days, slots], see `calendar.clock_weights`.
        filled: [days], where readings of an earlier week stand in (`filling`): such a day may be an input, never a target.
        temperature_c: [days, slots], nan where unknown; None where no temperature is stored at all.
        outlooks_c: weather forecasts [horizon days, slots] by the position of their first day.
    """

    series: Series
    days: pd.DatetimeIndex
    demand_mwh: np.ndarray
    weights: np.ndarray
    filled: np.ndarray
    temperature_c: np.ndarray | None = None
    outlooks_c: Mapping[int, np.ndarray] = field(default_factory=dict)

    @property
    def energy_mwh(self) -> np.ndarray:
        """Energy of each local day [days]: the sum of its intervals."""
        energy: np.ndarray = (self.demand_mwh * self.weights).sum(axis=1)
        return energy

    @property
    def slots(self) -> int:
        """Slots of the local clock a day."""
        return int(self.demand_mwh.shape[1])

    @property
    def origin(self) -> datetime:
        """The end of the last observed day, which is the start of the first one to forecast (UTC)."""
        return self.start_of(len(self))

    def start_of(self, position: int) -> datetime:
        """The start of a day (UTC), of those after the last as well; negative positions count from the end."""
        position = position if position >= 0 else len(self) + position
        return calendar.day_start((self.days[0] + pd.Timedelta(days=position)).date(), self.series.zone)

    def before(self, position: int) -> "History":
        """What was known when the day at `position` began: the days before it, and the weather forecast for it."""
        temperature = None if self.temperature_c is None else self.temperature_c[:position]
        outlooks = {at: outlook for at, outlook in self.outlooks_c.items() if at <= position}
        return replace(
            self,
            days=self.days[:position],
            demand_mwh=self.demand_mwh[:position],
            weights=self.weights[:position],
            filled=self.filled[:position],
            temperature_c=temperature,
            outlooks_c=outlooks,
        )

    def since(self, position: int) -> "History":
        """Without the days before a position."""
        return replace(
            self,
            days=self.days[position:],
            demand_mwh=self.demand_mwh[position:],
            weights=self.weights[position:],
            filled=self.filled[position:],
            temperature_c=None if self.temperature_c is None else self.temperature_c[position:],
            outlooks_c={at - position: outlook for at, outlook in self.outlooks_c.items() if at >= position},
        )

    def days_and_after(self, horizon_days: int) -> pd.DatetimeIndex:
        """Its days and as many after them."""
        return pd.date_range(self.days[0], periods=len(self) + horizon_days, freq="D")

    def weights_and_after(self, horizon_days: int) -> np.ndarray:
        """Weights of its days and of as many after them: [days + horizon_days, slots]."""
        ahead = pd.date_range(self.days[-1] + pd.Timedelta(days=1), periods=horizon_days, freq="D")
        return np.concatenate([self.weights, calendar.clock_weights(ahead, self.series.zone, self.series.interval)])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that a model sees of it: series, region (for holidays), zone, days, values, and what was filled."""
        series = self.series
        told = f"{series.series_id} {series.region} {series.time_zone} {self.days[0]:%F} {len(self.days)}"
        digest = hashlib.sha256(told.encode())
        digest.update(self.demand_mwh.astype("<f8").tobytes())
        digest.update(self.filled.tobytes())
        if self.temperature_c is not None:
            digest.update(self.temperature_c.astype("<f8").tobytes())
        for position, outlook in sorted(self.outlooks_c.items()):
            digest.update(f"{position}".encode() + outlook.astype("<f8").tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.days)


def clock_history(readings: pd.DataFrame, series: Series, temperature: pd.DataFrame | None = None) -> History:
    """Fill the holes between readings (`filling`) and lay complete local days out on the clock. What lies before a hole that cannot
    be filled is left out.

    Args:
        readings: columns `interval_start` (UTC) and `value` (MWh per interval), one row an interval, any order.
        temperature: columns `interval_start` (UTC) and `value` (C), on any grid.

    Raises:
        HistoryError: not one complete day.
    """
    if readings.empty:
        raise HistoryError(f"series {series.series_id} has no readings", "ingest some first: fortnight ingest")
    whole = fill_gaps(readings, series)
    starts = pd.DatetimeIndex(whole["interval_start"])
    shown, slots = calendar.clock_slots(starts, series.zone, series.interval)
    days = pd.date_range(shown[0], shown[-1], freq="D")
    weights = calendar.clock_weights(days, series.zone, series.interval)
    place = np.asarray((shown - days[0]) // pd.Timedelta(days=1), dtype=np.int64) * weights.shape[1] + slots
    count = np.bincount(place, minlength=weights.size).reshape(weights.shape)
    complete = np.asarray((count == weights).all(axis=1))
    if not complete.any():
        raise HistoryError(
            f"series {series.series_id} has no complete local day among its {len(readings)} readings",
            f"check that its interval really is {series.interval}, or wait for a full day",
        )
    last = int(np.flatnonzero(complete)[-1])
    holes = np.flatnonzero(~complete[:last])
    kept = slice(int(holes[-1]) + 1 if len(holes) else 0, last + 1)
    invented = (~whole["filled"].isin((MEASURED, INTERPOLATED))).to_numpy(dtype=float)
    history = History(
        series,
        days[kept],
        _laid_out(place, whole["value"].to_numpy(dtype=float), weights)[kept],
        weights[kept],
        np.asarray((np.bincount(place, invented, weights.size).reshape(weights.shape) > 0).any(axis=1))[kept],
    )
    if temperature is None or temperature.empty:
        return history
    return replace(history, temperature_c=clock_temperature(temperature, series, history.days))


def clock_temperature(temperature: pd.DataFrame, series: Series, days: pd.DatetimeIndex) -> np.ndarray:
    """Temperatures on the slots of the local clock, straight lines between readings at most six hours apart; nan elsewhere.

    Args:
        temperature: columns `interval_start` (UTC) and `value` (C), on any grid; not empty.
        days: consecutive naive midnights.

    Returns:
        float64 [days, slots].
    """
    start, end = calendar.day_start(days[0].date(), series.zone), calendar.day_bounds(days[-1].date(), series.zone)[1]
    anchor = calendar.grid_anchor(series.zone, series.interval)
    grid = pd.date_range(
        anchor - ((anchor - start) // series.interval) * series.interval, end, freq=series.interval, inclusive="left"
    )
    known = pd.Series(temperature["value"].to_numpy(dtype=float), pd.DatetimeIndex(temperature["interval_start"]).as_unit("us"))
    known = known.dropna().sort_index()
    at, wanted = pd.DatetimeIndex(known.index).as_unit("us").asi8, grid.as_unit("us").asi8
    value = np.interp(wanted, at, known.to_numpy())
    after = np.searchsorted(at, wanted)
    before = np.searchsorted(at, wanted, side="right") - 1
    inside = (before >= 0) & (after < len(at))
    pause = at[np.minimum(after, len(at) - 1)] - at[np.maximum(before, 0)]
    bridged = inside & (pause <= LONGEST_BRIDGE / timedelta(microseconds=1))
    tail = (before == len(at) - 1) & (wanted - at[-1] <= timedelta(hours=1) / timedelta(microseconds=1))
    shown, slots = calendar.clock_slots(grid, series.zone, series.interval)
    weights = calendar.clock_weights(days, series.zone, series.interval)
    place = np.asarray((shown - days[0]) // pd.Timedelta(days=1), dtype=np.int64) * weights.shape[1] + slots
    return _laid_out(place, np.where(bridged | tail, value, np.nan), weights)


def _laid_out(place: np.ndarray, value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values of intervals by their place on the clock: the mean where it shows two, between the neighbours where it shows none."""
    count = np.bincount(place, minlength=weights.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        flat = np.bincount(place, value, weights.size) / count
    skipped = np.flatnonzero((weights.ravel() == 0) & (count == 0))
    shown = np.flatnonzero((count > 0) & np.isfinite(flat))
    if len(skipped) and len(shown):
        flat[skipped] = np.interp(skipped, shown, flat[shown])
    return flat.reshape(weights.shape)


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
