"""What the readers of feeds share: numbers in texts, raw cells of bad rows, and the rows that were asked for."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from forecasting.frames import Batch

DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
LONGEST_CELL = 1000
"""Characters that are kept of a bad cell."""


def plain_decimals(texts: Sequence[str]) -> np.ndarray:
    """Each number as the nearest float64; NaN for what is none: empty, `nan`, `inf`, exponents, or too large for a float."""
    told = np.array([text if DECIMAL.fullmatch(text) else "nan" for text in texts], dtype=object).astype(float)
    return np.where(np.isfinite(told), told, np.nan)


def raw_cells(cells: Mapping[str, Any]) -> dict[str, str]:
    """A bad row as texts that any database can hold: without NUL and halves of surrogate pairs, and not endless."""
    return {_kept(name): _kept(cell if isinstance(cell, str) else json.dumps(cell)) for name, cell in cells.items()}


def between(batch: Batch, first: datetime, last: datetime) -> Batch:
    """The rows that start between two moments, both included, and the rejected ones that do not tell when they start."""
    start, about = batch.readings["interval_start"], batch.rejected["interval_start"]
    rejected = batch.rejected[~((about < first) | (about > last))].reset_index(drop=True)
    return Batch(batch.quantity, batch.readings[(start >= first) & (start <= last)].reset_index(drop=True), rejected)


def _kept(text: str) -> str:
    return text[:LONGEST_CELL].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
