"""Readings to and from Postgres' binary formats, whole arrays at a time: row by row would take longer than all the rest."""

import numpy as np
import pandas as pd

from forecasting.frames import readings_frame

EPOCH_US = 946_684_800_000_000
"""2000-01-01, where Postgres counts from, in microseconds since 1970."""
HEADER, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
TIME_AND_VALUE = np.dtype([("start", ">i8"), ("value", ">f8")])


def pack_readings(series_key: int, readings: pd.DataFrame) -> bytes:
    """Rows of `staged_reading`: each field after its length, in network byte order."""
    stated = "known_at" in readings
    fields = [("fields", ">i2"), ("l0", ">i4"), ("key", ">i4"), ("l1", ">i4"), ("start", ">i8"), ("l2", ">i4"), ("value", ">f8")]
    rows = np.empty(len(readings), dtype=[*fields, ("l3", ">i4"), *([("known", ">i8")] if stated else [])])
    rows["fields"], rows["l0"], rows["key"] = 4, 4, series_key
    rows["l1"], rows["start"] = 8, _since_2000(readings["interval_start"])
    rows["l2"], rows["value"] = 8, readings["value"].to_numpy()
    rows["l3"] = 8 if stated else -1
    if stated:
        rows["known"] = _since_2000(readings["known_at"])
    return HEADER + rows.tobytes() + END


def unpack_readings(packed: bytes) -> pd.DataFrame:
    """The readings frame from `readings_as_of`: a timestamptz and a float8 for each, one after the other."""
    rows = np.frombuffer(packed, TIME_AND_VALUE)
    since_1970 = rows["start"].astype(np.int64) + EPOCH_US
    return readings_frame(pd.DatetimeIndex(since_1970.view("datetime64[us]"), tz="UTC"), rows["value"].astype(float))


def _since_2000(times: pd.Series) -> np.ndarray:
    return pd.DatetimeIndex(times).as_unit("us").asi8 - EPOCH_US
