"""Somebody else's database with a table of meter readings, and the source that reads it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from forecasting.frames import Batch
from forecasting.sources.sql import SqlSource
from forecasting.sources.web import Web
from forecasting.store.database import connect
from tests.store.builders import HALF_HOUR, START, at, series

QUERY = "SELECT time, load FROM meter WHERE time >= %(since)s AND time < %(until)s ORDER BY time"
METER = """
    CREATE TABLE meter (time timestamptz, load numeric);
    INSERT INTO meter SELECT timestamptz '2014-01-01Z' + n * interval '30 min', 1000 + n FROM generate_series(-10, 99) AS n
"""
UNTIL = at(50)
Ask = Callable[..., list[Batch]]


def asking(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Fill the foreign database and read it, from START to 50 half-hours later."""
    monkeypatch.setenv("METER_DSN", dsn)

    def ask(
        query: str = QUERY, setup: str = METER, since: datetime = START, until: datetime = UNTIL, **options: Any
    ) -> list[Batch]:
        if setup:
            with connect(dsn) as connection:
                connection.execute(setup)
        return list(SqlSource(Web(), dsn_env="METER_DSN", query=query, **options).read(series(), since, until))

    return ask


def values(batches: list[Batch]) -> dict[float, float]:
    """Demand by number of half-hours after START."""
    frame = pd.concat([batch.readings for batch in batches])
    numbers = (frame["interval_start"] - pd.Timestamp(START)) / pd.Timedelta(HALF_HOUR)
    return dict(zip(numbers.tolist(), frame["value"].tolist(), strict=True))


def rejected(batches: list[Batch]) -> list[tuple[str, str]]:
    return [(row.reason, row.raw) for batch in batches for row in batch.rejected.itertuples()]
