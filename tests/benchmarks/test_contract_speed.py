"""How quickly consumers are answered among twenty million forecast values, and how long a morning's publishing takes.

Filling takes four minutes and 6 GB. FORTNIGHT_BENCH_HOME=FOLDER keeps what was filled for the next time, FORTNIGHT_BENCH_PLANS=1 prints
the plans.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from forecasting.store import Store, embedded
from forecasting.store.database import Connection, connect
from tests.benchmarks.conftest import Print
from tests.benchmarks.contract_data import LEADS, SERIES, fill
from tests.store.contract_world import ISSUE, VALUES

pytestmark = pytest.mark.timeout(3600)
ONE = "WHERE series_id = 'bench-5'"
YEAR, MONTH = "'2023-01-01' AND {0} < '2024-01-01'", "'2023-06-01' AND {0} < '2023-07-01'"
QUERIES = {
    "forecast_latest": (f"SELECT * FROM published.forecast_latest {ONE}", LEADS, 0.010),
    "accuracy of a year": (f"SELECT * FROM published.accuracy {ONE} AND month >= {YEAR.format('month')}", 182, 0.200),
    "accuracy of a month": (f"SELECT * FROM published.accuracy {ONE} AND month = '2023-06-01'", 14, 0.200),
    "forecast_vs_actual of a month": (
        f"SELECT * FROM published.forecast_vs_actual {ONE} AND target_start >= {MONTH.format('target_start')}", 420, 0.100,
    ),
    "forecast of a month": (f"SELECT * FROM published.forecast {ONE} AND origin >= {MONTH.format('origin')}", 420, 0.100),
    "forecast_as_of": (f"SELECT * FROM published.forecast_as_of('2023-01-01Z') {ONE}", LEADS, 0.050),
    "demand_as_of, a month": (
        f"SELECT * FROM published.demand_as_of('2024-01-01Z') {ONE} AND interval_start >= {MONTH.format('interval_start')}", 1440, 0.050,
    ),
    "status": (f"SELECT * FROM published.status {ONE}", 1, 0.050),
    "driver, the newest": (f"SELECT * FROM published.driver {ONE} AND latest", LEADS, 0.050),
    "revision, the newest": (f"SELECT * FROM published.revision {ONE} AND latest", 0, 0.050),
    "forecast_latest of all series": ("SELECT * FROM published.forecast_latest", SERIES * LEADS, 2.0),
}  # fmt: skip
"""What is asked, how many rows come, and the time allowed, in seconds."""


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    kept = os.environ.get("FORTNIGHT_BENCH_HOME")
    home = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="fn-"))
    dsn = embedded.ensure_running(home)
    address = make_conninfo(dsn, dbname="bench")
    with connect(make_conninfo(dsn, dbname="postgres")) as connection:
        is_new = connection.execute("SELECT FROM pg_database WHERE datname = 'bench'").fetchone() is None
        if is_new:
            connection.execute("CREATE DATABASE bench")
    if is_new:
        with Store(address) as store:
            fill(store)
    yield address
    embedded.stop(home)
    if not kept:
        shutil.rmtree(home)


@pytest.mark.parametrize("what", QUERIES)
def test_a_consumer_is_answered_quickly(filled: str, what: str, tell: Print) -> None:
    query, expected, allowed = QUERIES[what]
    with connect(filled) as connection:
        times, rows = [], 0
        for _ in range(5):
            begun = time.perf_counter()
            rows = len(connection.execute(query.encode()).fetchall())
            times.append(time.perf_counter() - begun)
        tell(f"{what}: {rows} rows, first {times[0] * 1000:.1f} ms, then {min(times) * 1000:.1f} ms (allowed {allowed * 1000:.0f})")
        if os.environ.get("FORTNIGHT_BENCH_PLANS"):
            for (line,) in connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query}".encode()).fetchall():
                tell(str(line))
    assert rows == expected
    assert min(times) < allowed


def test_a_thousand_series_are_published_in_ten_seconds(filled: str, tell: Print) -> None:
    """Each in a transaction of its own, with the statements of the service; the commits reach the disk."""
    with Store(filled) as store:
        newest = store.connection.execute("SELECT max(origin) FROM fortnight.forecast_issue").fetchone()
        assert newest is not None
        assert isinstance(newest[0], datetime)
        last = store.connection.execute(
            "SELECT f.* FROM published.forecast_latest AS f WHERE series_id = 'bench-5' ORDER BY lead"
        ).fetchall()
        assert len(last) == LEADS
        keys = store.connection.execute(
            "SELECT series_key, max(model_version_key) FROM fortnight.model_version GROUP BY 1"
        ).fetchall()
        begun = time.perf_counter()
        for key, model in keys:
            _publish(store.connection, key, model, newest[0] + timedelta(days=1))
        took = time.perf_counter() - begun
    tell(f"published {len(keys)} series x {LEADS} days x 9 quantiles in {took:.1f} s")
    assert len(keys) == SERIES
    assert took < 10


def _publish(connection: Connection, key: Any, model: Any, origin: datetime) -> None:
    facts = {
        "series_key": key, "origin": origin, "readings_as_of": origin + timedelta(hours=6), "model": model, "leads": LEADS,
        "inputs_start": origin - timedelta(days=14), "inputs": f"{origin}", "tier": "champion", "reason": None, "fault": None,
        "previous": None,
    }  # fmt: skip
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT fortnight.ensure_month(%s)", (origin,))
        row = cursor.execute(ISSUE, facts).fetchone()
        assert row is not None
        with cursor.copy(f"COPY fortnight.forecast_value ({', '.join(VALUES)}) FROM STDIN".encode()) as copy:
            for lead in range(1, LEADS + 1):
                start = origin + timedelta(days=lead - 1)
                quantiles = [100.0 + n for n in range(9)]
                copy.write_row((row[0], origin, lead, start, start + timedelta(days=1), 104.0, *quantiles, 4.0, 5.0, 6.0, start,
                                90.0, 5.0, 5.0, 100.0))  # fmt: skip
        cursor.execute("SELECT fortnight.make_ready(%s)", (row[0],))
