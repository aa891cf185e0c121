"""Runs as others see them: under way, ended, or dead."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from forecasting.errors import SourceError
from forecasting.store import NewRun, Store

pytestmark = pytest.mark.one_server
NOW = datetime(2024, 3, 1, tzinfo=UTC)
AT_ONCE = timedelta(0)
HOLD = """
import sys, time
from uuid import UUID
from datetime import datetime, UTC
from forecasting.store import NewRun, Store
with Store(sys.argv[1]) as store, store.recorded(NewRun(UUID(sys.argv[2]), "hand", "here", 1)):
    store.runs.begin_step(UUID(sys.argv[2]), "retrain", "vic", datetime(2024, 3, 1, tzinfo=UTC))
    print("begun", flush=True)
    time.sleep(600)
"""


def new_run() -> NewRun:
    return NewRun(uuid4(), "hand", "here", 1)


@contextmanager
def living_run(dsn: str, run_id: UUID) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of a step."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, dsn, str(run_id)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def steps(store: Store) -> list[tuple[object, ...]]:
    return store.connection.execute("SELECT job, series_id, outcome, told FROM published.run ORDER BY started_at").fetchall()


def test_a_run_and_its_steps_are_seen_from_their_beginning(store: Store) -> None:
    run = new_run()
    with store.recorded(run):
        key = store.runs.begin_step(run.run_id, "ingest", "vic", NOW)
        assert steps(store) == [("ingest", "vic", None, None)]
        store.runs.end_step(key, "done", "48 new")
        assert store.runs.outcomes([run.run_id]) == {run.run_id: None}
    assert steps(store) == [("ingest", "vic", "done", "48 new")]
    row = store.connection.execute("SELECT outcome, ended_at >= started_at FROM fortnight.run").fetchone()
    assert row == ("done", True)
    assert store.runs.done_since("vic", "ingest", NOW)
    assert not store.runs.done_since("vic", "ingest", NOW + timedelta(seconds=1))
    assert not store.runs.done_since("vic", "publish", NOW)
    assert store.runs.last_done("vic", "ingest") == NOW


def test_a_failure_is_written_down_and_goes_on(store: Store) -> None:
    with pytest.raises(SourceError), store.recorded(new_run()):
        raise SourceError("the feed is gone", "look for it")
    row = store.connection.execute("SELECT outcome, told FROM fortnight.run").fetchone()
    assert row == ("failed", "the feed is gone; look for it")


def test_the_living_are_left_alone_and_the_dead_are_buried(store: Store, dsn: str) -> None:
    run_id = uuid4()
    with living_run(dsn, run_id) as process:
        assert store.runs.bury(AT_ONCE) == []
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        buried = store.runs.bury(AT_ONCE)
    assert [dead.run_id for dead in buried] == [run_id]
    assert steps(store) == [("retrain", "vic", "died", "its process is gone")]
    assert store.runs.bury(AT_ONCE) == []


def test_a_run_that_has_only_just_begun_is_not_judged(store: Store, dsn: str) -> None:
    with living_run(dsn, uuid4()) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert store.runs.bury() == []


def test_a_run_outlives_its_connection(store: Store, dsn: str) -> None:
    """As when Postgres is restarted under it: the work ends well, and that is written down."""
    run = new_run()
    with store.recorded(run), psycopg.connect(dsn, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
        )
    row = store.connection.execute("SELECT outcome FROM fortnight.run").fetchone()
    assert row == ("done",)


def test_prefect_begins_a_lost_run_again_under_its_id(store: Store) -> None:
    run = new_run()
    for _ in range(2):
        with store.recorded(run):
            pass
    row = store.connection.execute("SELECT count(*), min(outcome) FROM fortnight.run").fetchone()
    assert row == (1, "done")
