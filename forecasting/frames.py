"""Contracts of the data frames that cross a boundary, and the check that keeps bad rows apart with a reason.

Readings frame: one row a reading.
    interval_start   datetime64[us, UTC]
    value            float64, in the unit of the quantity
    known_at         datetime64[us, UTC], only where the source says when each reading became known, or a forecast was issued
Rejected frame: one row for each row that was refused.
    reason           text
    raw              text, the row as it came (JSON)
    interval_start   datetime64[us, UTC], NaT where the row does not tell it
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from forecasting.calendar import EPOCH
from forecasting.domain import Quantity, Series

LIMITS = {Quantity.DEMAND: (0.0, 1e7), Quantity.TEMPERATURE: (-90.0, 70.0), Quantity.HOLIDAY: (0.0, 1.0)}
"""Values outside are impossible: negative energy, or temperatures that no station ever recorded."""


CHUNK_ROWS = 100_000
"""Rows of the largest batch: what an ingest holds in memory does not grow with the feed."""


@dataclass(frozen=True)
class Batch:
    """What a source delivered of one quantity: a readings frame, and the rows that it could not even parse."""

    quantity: Quantity
    readings: pd.DataFrame
    rejected: pd.DataFrame

    @property
    def rows(self) -> int:
        return len(self.readings) + len(self.rejected)


def readings_frame(interval_start: pd.DatetimeIndex, value: np.ndarray, known_at: pd.DatetimeIndex | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"interval_start": interval_start.as_unit("us"), "value": np.asarray(value, dtype=float)})
    return frame if known_at is None else frame.assign(known_at=known_at.as_unit("us"))


def rejected_frame(
    rows: Sequence[tuple[str, Mapping[str, str]]] = (), interval_start: pd.DatetimeIndex | None = None
) -> pd.DataFrame:
    """From (reason, raw row) pairs, with the interval each row was about where that is known.

    Postgres can hold no NUL character, so it is shown as the replacement character.
    """
    clean = [{key: text.replace("\0", "\N{REPLACEMENT CHARACTER}") for key, text in raw.items()} for _, raw in rows]
    frame = pd.DataFrame({"reason": [reason for reason, _ in rows], "raw": [json.dumps(raw) for raw in clean]}, dtype=str)
    starts = pd.DatetimeIndex([pd.NaT] * len(rows), tz="UTC") if interval_start is None else interval_start
    return frame.assign(interval_start=starts.as_unit("us"))


def checked(batch: Batch, series: Series, until: datetime) -> Batch:
    """Move readings that break the contract to `rejected`; drop those not yet due at `until`.

    Refused are values that are not finite or impossible, times off the series' grid, and times given twice with different values
    (all of them: nobody can say which is right). The same reading given twice counts once.
    """
    frame = batch.readings.drop_duplicates()
    due = pd.Timestamp(until - series.interval - series.publication_delay)
    frame = frame[~(frame["interval_start"] > due)].sort_values(by="interval_start", ignore_index=True)
    starts, value = pd.DatetimeIndex(frame["interval_start"]), frame["value"].to_numpy(dtype=float)
    low, high = LIMITS[batch.quantity]
    reasons = np.full(len(frame), "", dtype=object)
    for reason, broken in (  # the last that applies is told
        ("doubled with different values", starts.duplicated(keep=False)),
        (f"off the {series.interval} grid", (starts - pd.Timestamp(EPOCH)) % pd.Timedelta(series.interval) != pd.Timedelta(0)),
        (f"outside {low:g} to {high:g} {series.unit}", (value < low) | (value > high)),
        ("not a finite number", ~np.isfinite(value)),
        ("no time", starts.isna()),
    ):
        reasons[np.asarray(broken)] = reason
    bad = reasons != ""
    rows = zip(reasons[bad].tolist(), starts[bad], value[bad].tolist(), strict=True)
    raw = [(reason, {"interval_start": start.isoformat(), "value": repr(number)}) for reason, start, number in rows]
    rejected = pd.concat([batch.rejected, rejected_frame(raw)], ignore_index=True)
    return Batch(batch.quantity, frame[~bad].reset_index(drop=True), rejected)
