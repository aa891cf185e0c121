"""SIGKILL at any moment of a large ingest: nothing acknowledged is lost, nothing is doubled, nothing half-written is seen."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from forecasting.store import embedded
from tests.minutes import describe_minutes, write_minutes

ROWS = int(os.environ.get("KILLED_ROWS", "100000"))
KILLS = int(os.environ.get("KILLS", "3"))


def stored(dsn: str) -> tuple[int, int, int]:
    """Readings, distinct intervals, and finished runs."""
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT to_regclass('fortnight.reading')").fetchone() == (None,):
            return 0, 0, 0
        row = connection.execute(
            "SELECT count(*), count(DISTINCT interval_start), (SELECT count(*) FROM fortnight.ingest_run WHERE refused IS NULL) "
            "FROM fortnight.reading"
        ).fetchone()
    assert row is not None
    return row


def test_an_ingest_killed_at_any_moment_loses_and_doubles_nothing(folder: Path, tmp_path: Path) -> None:
    csv = tmp_path / "minutes.csv"
    write_minutes(csv, ROWS)
    dsn = embedded.ensure_running(folder)
    command = [sys.executable, "-m", "forecasting.cli", *describe_minutes(folder, csv, ROWS)]
    environment = {**os.environ, "FORTNIGHT_HOME": str(folder), "OMP_NUM_THREADS": "1"}

    started = time.monotonic()
    acknowledged = subprocess.run(command, env=environment, capture_output=True, text=True)
    length_s = time.monotonic() - started
    assert acknowledged.returncode == 0, acknowledged.stderr
    assert stored(dsn) == (ROWS, ROWS, 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE fortnight.reading, fortnight.ingest_run, fortnight.gap, fortnight.quarantine CASCADE")

    moments = random.Random(1)  # noqa: S311 - when to kill
    before = (0, 0, 0)
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(0.2, length_s))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        readings, intervals, runs = stored(dsn)
        assert readings == intervals, "a reading was doubled"
        assert readings in (0, ROWS), "a part was seen"
        assert readings >= before[0], "something was lost"
        assert process.returncode != 0 or readings == ROWS, "it was acknowledged but is not there"
        before = (readings, intervals, runs)
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0
    assert stored(dsn)[:2] == (ROWS, ROWS)
