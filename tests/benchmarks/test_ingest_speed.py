"""From CSV to table, beside plain COPY and executemany in the same run; and the read that training makes.

The figures are printed, never judged by the clock. More rows: BENCHMARK_ROWS=1000000 python -m pytest tests/benchmarks
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from forecasting.domain import Series
from forecasting.store import Store
from tests.benchmarks.conftest import Print
from tests.minutes import START, describe_minutes, write_minutes

ROWS = int(os.environ.get("BENCHMARK_ROWS", "100000"))


@pytest.fixture
def minutes_csv(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "minutes.csv"
    write_minutes(path, ROWS)
    yield path
    path.unlink()


def rows_per_s(seconds: float) -> str:
    return f"{ROWS / seconds:>10,.0f} rows/s  {seconds:6.1f} s"


def ingest(folder: Path, dsn: str, csv: Path) -> tuple[str, float, float]:
    """The whole command in a process of its own: what it says, how long it took, and its largest size in MB."""
    command = [sys.executable, "-m", "forecasting.cli", *describe_minutes(folder, csv, ROWS)]
    environment = {**os.environ, "FORTNIGHT_HOME": str(folder), "FORTNIGHT_DATABASE_URL": dsn, "COLUMNS": "200"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    largest_kb = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            break
        largest_kb = max([largest_kb, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.02)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    return said, time.perf_counter() - started, largest_kb / 1024


def test_a_csv_file_to_the_table(dsn: str, folder: Path, minutes_csv: Path, tell: Print) -> None:
    tell(f"{ROWS:,} readings, whole commands with their start of about two seconds")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (interval_start timestamptz PRIMARY KEY, value float8)")
        started = time.perf_counter()
        with connection.cursor().copy("COPY plain FROM STDIN (FORMAT csv, HEADER)") as copy, minutes_csv.open("rb") as file:
            while part := file.read(1 << 20):
                copy.write(part)
        tell(f"plain COPY, no checks   {rows_per_s(time.perf_counter() - started)}")
        connection.execute("TRUNCATE plain")
        pairs = [tuple(line.split(",")) for line in minutes_csv.read_text().splitlines()[1:]]
        started = time.perf_counter()
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO plain VALUES (%s::timestamptz, %s::float8)", pairs)
        tell(f"executemany, no checks  {rows_per_s(time.perf_counter() - started)}")
        del pairs
    said, seconds, largest_mb = ingest(folder, dsn, minutes_csv)
    tell(f"fortnight, new          {rows_per_s(seconds)}  {largest_mb:.0f} MB")
    assert f"{ROWS:,} new" in said
    said, seconds, largest_mb = ingest(folder, dsn, minutes_csv)
    tell(f"fortnight, unchanged    {rows_per_s(seconds)}  {largest_mb:.0f} MB")
    assert " 0 new, 0 corrected" in said
    with psycopg.connect(dsn) as connection:
        stored = connection.execute("SELECT count(*), count(DISTINCT interval_start) FROM fortnight.reading").fetchone()
    assert stored == (ROWS, ROWS)


def test_a_year_as_of_a_moment(store: Store, tell: Print) -> None:
    """Half-hours of many series, a few of them corrected; one year of one of them as training reads it."""
    years, half_hours = 10, 10 * 365 * 48
    count = max(1, ROWS // half_hours)
    for number in range(count):
        series = Series(f"s{number}", "", "AU", "UTC", timedelta(minutes=30), "csv", simulated=False)
        store.readings.register(series)
    store.connection.execute(
        """
        INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
        SELECT s.series_key, t, t + interval '30 min' + version * interval '5 days', version, random()
        FROM generate_series(0, %(months)s - 1) AS month, fortnight.series AS s, generate_series(0, 1) AS version,
             LATERAL generate_series(%(start)s + month * interval '1 month', %(start)s + (month + 1) * interval '1 month'
                                     - interval '30 min', interval '30 min') AS t
        WHERE version = 0 OR extract(minute FROM t) = 0 AND extract(hour FROM t) = 7
        """,
        {"months": 12 * years, "start": START},
    )
    store.connection.execute("VACUUM ANALYZE fortnight.reading")
    as_of = START + timedelta(days=5 * 365)
    times = []
    for number in range(min(count, 20)):
        series = Series(f"s{number}", "", "AU", "UTC", timedelta(minutes=30), "csv", simulated=False)
        started = time.perf_counter()
        frame = store.readings.as_of(series, as_of, as_of - timedelta(days=365))
        times.append(time.perf_counter() - started)
        assert len(frame) == 365 * 48
    row = store.connection.execute("SELECT count(*) FROM fortnight.reading").fetchone()
    assert row is not None
    tell(f"a year as of a moment among {row[0]:,} readings: median {np.median(times) * 1e3:.0f} ms, first {times[0] * 1e3:.0f} ms")
