"""How quickly consumers are answered, and how long a morning's publishing takes.

By default among a hundred thousand. BENCHMARK_SERIES=1000 makes it twenty million, which takes four minutes and 6 GB to fill;
FORTNIGHT_BENCH_HOME=FOLDER keeps what was filled for the next time, FORTNIGHT_BENCH_PLANS=1 prints the plans. Measured so, on two
cores, at best and on a fresh connection: forecast_latest 2 and 16 ms, accuracy of a year 126 and 165 to 200 ms, 1,000 series
published in 4.5 to 5.4 s.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from forecasting.calendar import day_start
from forecasting.store import Store, embedded
from forecasting.store.database import connect
from tests.benchmarks.conftest import Print
from tests.benchmarks.contract_data import LEADS, SERIES, fill
from tests.store.builders import MELBOURNE, forecast, new_issue

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
        f"SELECT * FROM published.demand_as_of('2024-01-01Z') {ONE} AND interval_start >= {MONTH.format('interval_start')}",
        1440, 0.050,
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


def test_a_morning_is_published(filled: str, tell: Print) -> None:
    """Each series in a transaction of its own, through the service's own way; the commits reach the disk."""
    with Store(filled) as store:
        newest = store.connection.execute("SELECT max(origin) FROM fortnight.forecast_issue").fetchone()
        assert newest is not None
        assert isinstance(newest[0], datetime)
        origin = day_start(newest[0].astimezone(MELBOURNE).date() + timedelta(days=1), MELBOURNE)
        models = store.connection.execute(
            "SELECT max(model_version_key) FROM fortnight.model_version GROUP BY series_key"
        ).fetchall()
        versions = [store.versions.by_key(int(str(key))) for (key,) in models]
        frame = forecast(LEADS, origin)
        begun = time.perf_counter()
        numbers = [store.forecasts.publish(frame, new_issue(version, origin)) for version in versions if version is not None]
        took = time.perf_counter() - begun
    tell(f"published {len(numbers)} series x {LEADS} days x 9 quantiles in {took:.1f} s")
    assert len(set(numbers) - {None}) == SERIES
