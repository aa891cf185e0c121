"""Killed at any moment of publishing, with readers polling all the while: nobody ever sees a partial or a doubled issue."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import psycopg

from forecasting.store import Store
from tests.store.builders import add_version, new_version, series

KILLS = int(os.environ.get("KILLS", "4"))
PUBLISH_FOR_EVER = """
import sys
from datetime import timedelta
import numpy as np
from forecasting.store import Store
from tests.store.builders import ORIGIN, forecast, new_issue
with Store(sys.argv[1]) as store:
    version = store.versions.by_number("fortnight-vic-daily", 1)
    paths = [np.full((20, 48), 1.0)] * 14
    print("begun", flush=True)
    for number in range(int(sys.argv[2]), 10**9):
        origin = ORIGIN + timedelta(days=number % 400)
        frame = forecast(origin=origin).assign(mean=float(number % 400 + 20))
        store.forecasts.publish(frame, new_issue(version, origin, f"{number}"), paths)
"""
CONSISTENT = """
    SELECT count(*) FILTER (WHERE rows <> 14 OR leads <> 14 OR means <> 1), count(*)
    FROM (
        SELECT issue_id, count(*) AS rows, count(DISTINCT lead) AS leads, count(DISTINCT mean) AS means
        FROM published.forecast
        GROUP BY issue_id
    ) AS issue
"""
LATEST = """
    SELECT count(*), count(DISTINCT lead), count(DISTINCT issue_id), count(DISTINCT mean)
    FROM published.forecast_latest WHERE series_id = 'vic'
"""


class Reader(threading.Thread):
    """Reads what consumers read as fast as it can, and notes whatever is not whole."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.dsn, self.done, self.reads, self.wrong = dsn, threading.Event(), 0, list[object]()

    def run(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            while not self.done.is_set():
                row = connection.execute(LATEST).fetchone()
                self.reads += 1
                if row not in ((0, 0, 0, 0), (14, 14, 1, 1)):
                    self.wrong.append(row)


def test_kills_at_random_moments_leave_whole_issues_only(dsn: str) -> None:
    with Store(dsn) as store:
        store.readings.register(series())
        add_version(store, new_version(store.readings.key(series())))
    readers = [Reader(dsn) for _ in range(2)]
    for reader in readers:
        reader.start()
    random = Random(1)  # noqa: S311 - moments, no secrets
    root = Path(__file__).resolve().parents[2]
    for kill in range(KILLS):
        command = [sys.executable, "-c", PUBLISH_FOR_EVER, dsn, str(kill * 100_000)]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(random.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    for reader in readers:
        reader.done.set()
        reader.join()
    with psycopg.connect(dsn) as connection:
        row = connection.execute(CONSISTENT).fetchone()
        assert row is not None
        broken, count = row
        doubled = connection.execute("SELECT count(*) - count(DISTINCT inputs_sha256) FROM fortnight.forecast_issue").fetchone()
    assert [reader.wrong for reader in readers] == [[], []]
    assert min(reader.reads for reader in readers) > KILLS
    assert (broken, doubled) == (0, (0,))
    assert count >= KILLS // 4, "the kills came among issues, not before the first"
    print(f"{KILLS} kills, {count} issues, {sum(reader.reads for reader in readers)} reads")  # noqa: T201 - shown with -s
