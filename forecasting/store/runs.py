"""Runs and their steps, written while they work."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from forecasting.errors import StoreError
from forecasting.store.database import Connection, connect, statement

logger = logging.getLogger(__name__)
FIRST_MOMENTS = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that begins: by `hand`, as a `flow` (under the id that Prefect knows it by), or by the `caretaker`."""

    run_id: UUID
    started_by: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class DeadRun:
    """A run whose process is gone although it never ended."""

    run_id: UUID
    started_at: datetime
    started_by: str
    host: str
    pid: int


@dataclass(slots=True)
class Ending:
    """How a run ends, unless somebody says otherwise."""

    outcome: str = "done"
    told: str | None = None


@contextmanager
def recorded_run(dsn: str, run: NewRun) -> Iterator[Ending]:
    """Write a run down and hold its row until the block ends or this process dies, on a connection of its own.

    As with a series, Postgres lets go of the row the moment the connection breaks: a run without end that nobody holds is dead.
    """
    ending, failure = Ending(), None
    with connect(dsn) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute(statement("begin_run"), asdict(run))
        try:
            with connection.transaction():
                connection.execute("SELECT FROM fortnight.run WHERE run_id = %s FOR NO KEY UPDATE", (run.run_id,))
                try:
                    yield ending
                except BaseException as error:  # noqa: BLE001 - raised again below
                    failure = error
                    ending.outcome, ending.told = "failed", str(error) or type(error).__name__
                _end(connection, run.run_id, ending)
        except psycopg.OperationalError:
            _end_anew(dsn, run.run_id, ending)  # Postgres was restarted meanwhile
    if failure is not None:
        raise failure


def _end(connection: Connection, run_id: UUID, ending: Ending) -> None:
    connection.execute(statement("end_run"), {"run_id": run_id, "outcome": ending.outcome, "told": ending.told})


def _end_anew(dsn: str, run_id: UUID, ending: Ending) -> None:
    try:
        with connect(dsn) as connection:
            _end(connection, run_id, ending)
    except (StoreError, psycopg.OperationalError) as error:
        logger.warning("the end of run %s is not written down, it will be taken for dead: %s", run_id, error)


class Runs:
    """Rows of `run` and `run_step`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def begin_step(self, run_id: UUID, job: str, series_id: str | None, as_of: datetime) -> int:
        """Write down that a job begins; returns the step's key."""
        told = {"run_id": run_id, "job": job, "series_id": series_id, "as_of": as_of}
        row = self.connection.execute(statement("begin_run_step"), told).fetchone()
        assert row is not None
        return int(str(row[0]))

    def end_step(self, key: int, outcome: str, told: str | None) -> None:
        """Write down how it went; a connection that broke meanwhile leaves that to whoever finds the run dead."""
        if self.connection.broken or self.connection.closed:
            logger.debug("the end of step %s (%s) could not be written: no connection", key, outcome)
            return
        self.connection.execute(statement("end_run_step"), {"key": key, "outcome": outcome, "told": told})

    def bury(self, older_than: timedelta = FIRST_MOMENTS) -> list[DeadRun]:
        """End the runs that died.

        Args:
            older_than: a run takes its lock right after it was written down, so its first moments are not judged.
        """
        with self.connection.cursor(row_factory=class_row(DeadRun)) as cursor:
            return cursor.execute(statement("bury_runs"), {"older_than": older_than}).fetchall()

    def done_since(self, series_id: str, job: str, since: datetime) -> bool:
        """Whether a job of a series was done as of that time or later."""
        row = self.connection.execute(statement("done_since"), {"series_id": series_id, "job": job, "since": since}).fetchone()
        return row is not None

    def last_done(self, series_id: str, job: str) -> datetime | None:
        """The newest as-of time of a job that was done."""
        row = self.connection.execute(statement("last_done"), {"series_id": series_id, "job": job}).fetchone()
        return row[0] if row else None  # type: ignore[return-value]

    def outcomes(self, run_ids: list[UUID]) -> dict[UUID, str | None]:
        """How runs ended, of those that ever began; None for one that has not, or only just."""
        rows = self.connection.execute(statement("run_outcomes"), {"run_ids": run_ids}).fetchall()
        return dict(rows)  # type: ignore[arg-type]
