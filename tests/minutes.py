"""A made-up feed of every minute, as large as asked, for kills and benchmarks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

START = datetime(2001, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SERIES = "minutes"


def write_minutes(path: Path, rows: int) -> None:
    """A CSV file of demand by the minute, with three decimals."""
    with path.open("w") as file:
        file.write("interval_start,demand_mwh\n")
        for first in range(0, rows, 1_000_000):
            number = np.arange(first, min(rows, first + 1_000_000))
            starts = np.datetime_as_string(np.datetime64(START.replace(tzinfo=None), "m") + number)
            values = 80 + 20 * np.sin(number * 2 * np.pi / 1440) + np.random.default_rng(first).normal(0, 0.5, len(number))
            file.writelines(f"{start}:00Z,{value:.3f}\n" for start, value in zip(starts, values, strict=True))


def describe_minutes(folder: Path, csv: Path, rows: int) -> list[str]:
    """Settings in the state folder for one series of that file; the arguments of the command that ingests all of it."""
    days = rows // 1440 + 2
    (folder / "fortnight.toml").write_text(
        f"""
        ingest.history_days = {days}
        ingest.lookback_days = {days}
        [[series]]
        id = "{SERIES}"
        name = "Every minute"
        region = "AU-VIC"
        time_zone = "UTC"
        interval_minutes = 1
        source = "csv"
        options.path = "{csv}"
        """
    )
    return ["ingest", "--series", SERIES, "--as-of", (START + rows * MINUTE).isoformat()]
