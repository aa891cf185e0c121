"""Contracts of the data frames that cross a boundary.

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
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.domain import Quantity

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
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

    Postgres can hold neither NUL nor half a surrogate pair: each is shown as the replacement character.
    """
    clean = [json.dumps({_storable(key): _storable(text) for key, text in raw.items()}) for _, raw in rows]
    frame = pd.DataFrame({"reason": [_storable(reason) for reason, _ in rows], "raw": clean}, dtype=str)
    starts = pd.DatetimeIndex([pd.NaT] * len(rows), tz="UTC") if interval_start is None else interval_start
    return frame.assign(interval_start=starts.as_unit("us"))


def _storable(text: str) -> str:
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
