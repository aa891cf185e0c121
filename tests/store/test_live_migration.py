"""A migration on a live database: who reads and who writes is held up only shortly, whether it succeeds or gives up."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from forecasting.errors import StoreError
from forecasting.store import Store, migrations, schema, upgrading
from forecasting.store.database import connect
from tests.store.world_of_before import fill

pytestmark = pytest.mark.one_server

LOCK_WAIT_S = 0.4
PATIENCE_S = 2.0
"""Beyond the wait for a lock: the migrations themselves, and a busy machine."""
READ = "SELECT * FROM published.alert_v1"
WRITE = """
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT 1, '2014-02-01Z'::timestamptz + count(*) * interval '30 minutes', now(), 1, 100 FROM fortnight.reading
"""
RAISE_ALERT = "UPDATE fortnight.alert SET times_bad = times_bad + 1 WHERE alert_id = 1"


@pytest.fixture
def before(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A filled database whose next migrations change the table of alerts; waits are shorter than in production."""
    monkeypatch.setattr(upgrading, "LOCK_WAIT_S", LOCK_WAIT_S)
    monkeypatch.setattr(upgrading, "PAUSES_S", (0.3, 0.6))
    upgrading.upgrade(empty_dsn, "0005")
    with connect(empty_dsn) as connection:
        fill(connection, "0005")
    return empty_dsn


@contextmanager
def kept_busy(dsn: str, *statements: str) -> Iterator[list[float]]:
    """Others who run a statement over and over, each on a connection of its own; the seconds that each run took."""
    over, seconds, failures = threading.Event(), [], []

    def work(statement: str) -> None:
        try:
            with connect(dsn) as connection:
                while not over.is_set():
                    started = time.perf_counter()
                    connection.execute(statement.encode())
                    seconds.append(time.perf_counter() - started)
                    time.sleep(0.02)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(statement,)) for statement in statements]
    for thread in threads:
        thread.start()
    try:
        yield seconds
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failures == []


@contextmanager
def long_reader(dsn: str, until: Callable[[], bool]) -> Iterator[None]:
    """Somebody whose transaction stays open on a published view, for as long as it takes."""
    begun = threading.Event()

    def read() -> None:
        with connect(dsn) as connection, connection.transaction():
            connection.execute(READ.encode())
            begun.set()
            while not until():
                time.sleep(0.02)

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(30)
    yield
    thread.join()


def test_a_migration_succeeds_once_a_long_reader_lets_go(before: str) -> None:
    tried_until = time.monotonic() + LOCK_WAIT_S + 0.2  # the first try fails, a later one does not
    with kept_busy(before, READ, WRITE, RAISE_ALERT) as seconds:
        with long_reader(before, lambda: time.monotonic() > tried_until):
            Store(before).connection.close()
        time.sleep(0.1)
    assert max(seconds) < LOCK_WAIT_S + PATIENCE_S
    with connect(before) as connection:
        assert schema.current(connection) == schema.head()


def test_a_migration_gives_up_before_a_reader_that_stays_and_changes_nothing(before: str) -> None:
    given_up = threading.Event()
    with kept_busy(before, READ, WRITE, RAISE_ALERT) as seconds, long_reader(before, given_up.is_set):
        started = time.perf_counter()
        with pytest.raises(StoreError, match=r"in 3 tries of 0\.4 s.*oldest open transaction.*process \d+.*pg_terminate_backend"):
            Store(before)
        took = time.perf_counter() - started
        given_up.set()
    assert took < 3 * LOCK_WAIT_S + 0.9 + 2 * PATIENCE_S
    assert len(seconds) > 30, "the others went on between the tries"
    assert max(seconds) < LOCK_WAIT_S + PATIENCE_S
    with connect(before) as connection:
        assert schema.current(connection) == "0005"
    Store(before).connection.close()


def newer_release(folder: Path, monkeypatch: pytest.MonkeyPatch, *steps: str) -> None:
    """Let migrations be run of a fortnight of the future, which adds these to ours."""
    scripts = folder / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, scripts)
    down = schema.head()
    for number, body in enumerate(steps, start=9001):
        text = f'"""Of the future."""\nfrom alembic import op\nrevision, down_revision = "{number}", "{down}"\n{body}\n'
        (scripts / "versions" / f"{number}_future.py").write_text(text)
        down = str(number)
    configuration = upgrading.configuration

    def theirs() -> object:
        config = configuration()
        config.set_main_option("script_location", str(scripts))
        return config

    monkeypatch.setattr(upgrading, "configuration", theirs)


ADDS = f"""
oldest_code = "{schema.head()}"
def upgrade():
    op.execute("ALTER TABLE fortnight.series ADD COLUMN colour text")
"""
DROPS = """
def upgrade():
    op.execute("DROP TABLE fortnight.silence")
"""


def test_this_code_goes_on_with_a_newer_schema_that_only_adds(
    dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    newer_release(folder, monkeypatch, ADDS)
    assert [step.revision for step in upgrading.upgrade(dsn)] == ["9001"]
    with Store(dsn) as store:
        assert schema.current(store.connection) == "9001", "it is left as it is"
        assert store.readings.stored_ids() == []
        assert schema.pending(store.connection) == []
    assert f"schema 9001, this fortnight knows up to {schema.head()}" in caplog.text


def test_this_code_refuses_a_newer_schema_that_dropped_what_it_needs(
    dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_release(folder, monkeypatch, ADDS, DROPS, ADDS.replace("colour", "shade"))
    assert len(upgrading.upgrade(dsn)) == 3
    with pytest.raises(StoreError, match=r"schema 9003.*code from 9002 on; upgrade fortnight.*restore the backup"):
        Store(dsn)
