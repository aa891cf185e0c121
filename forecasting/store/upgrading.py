"""Running migrations on a live database: short waits for locks, tried again, and what was done."""

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from forecasting.errors import StoreError
from forecasting.store.database import Connection, connect

if TYPE_CHECKING:
    from alembic.config import Config

logger = logging.getLogger(__name__)

LOCK_WAIT_S = 2.0
"""How long a migration waits for a lock, and so at most how long it makes others wait behind it for one."""
PAUSES_S = (1.0, 2.0, 4.0, 6.0)
"""Between the tries. All of it is shorter than others wait for `schema_lock`."""
IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


@dataclass(frozen=True, slots=True)
class Step:
    """A migration that was run, or would be; `seconds` is None where it was not."""

    revision: str
    title: str
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.revision} {self.title}" + ("" if self.seconds is None else f" ({self.seconds:.1f} s)")


def configuration() -> "Config":
    """Alembic's, for the migrations of this package."""
    from alembic.config import Config  # heavy, and needed once in a database's life

    config = Config()
    config.set_main_option("script_location", "forecasting.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def titles(after: str | None) -> list[Step]:
    """The migrations that come after a revision, oldest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(configuration()).walk_revisions(base=after or "base")
    return [Step(script.revision, script.doc) for script in reversed(list(scripts)) if script.revision > (after or "")]


def upgrade(dsn: str, to: str = "head") -> list[Step]:
    """Run migrations on a connection of its own, each in one transaction, while the caller holds the lock.

    Raises:
        StoreError: somebody is in the way for too long. Migrations done before stay; the one that could not be done left nothing.
    """
    done: list[Step] = []
    for pause in (*PAUSES_S, None):
        try:
            _try(dsn, to, done)
        except IN_THE_WAY as error:
            if pause is None:
                raise _given_up(dsn, len(PAUSES_S) + 1, error) from None
            logger.warning("a migration waited %g s for a lock, which others hold; tried again in %g s", LOCK_WAIT_S, pause)
            time.sleep(pause)
        else:
            break
    return done


def _try(dsn: str, to: str, done: list[Step]) -> None:
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    started = time.perf_counter()

    def applied(revision: str, title: str) -> None:
        nonlocal started
        done.append(Step(revision, title, time.perf_counter() - started))
        started = time.perf_counter()

    config = configuration()
    config.attributes["applied"] = applied
    engine = create_engine("postgresql+psycopg://", creator=lambda: _patient_connection(dsn), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.Error):
            raise
        raise error.orig from None
    finally:
        engine.dispose()


def _patient_connection(dsn: str) -> Connection:
    """Waits shortly for locks, whatever its login starts with, and takes its time for the rest."""
    connection = connect(dsn)
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{LOCK_WAIT_S * 1000:.0f}ms",))
    connection.execute("SET statement_timeout = 0")
    connection.autocommit = False
    return connection


def _given_up(dsn: str, tries: int, error: psycopg.Error) -> StoreError:
    """Who has been at it the longest is most likely who is in the way."""
    with connect(dsn) as connection:
        row = connection.execute(
            """
            SELECT pid, usename, extract(epoch FROM clock_timestamp() - xact_start)
            FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL
              AND pid <> pg_backend_pid()
              AND pid NOT IN (SELECT pid FROM pg_locks WHERE relation = to_regclass('public.schema_lock') AND pid IS NOT NULL)
            ORDER BY xact_start LIMIT 1
            """
        ).fetchone()
    oldest = f"; the oldest open transaction is that of {row[1]}, process {row[0]}, since {row[2]:.0f} s" if row else ""
    return StoreError(
        f"a migration could not get a lock in {tries} tries of {LOCK_WAIT_S:g} s ({error.diag.message_primary}){oldest}",
        "nothing of it was done and readers go on: run 'fortnight migrate' at a quieter time, or end who is in the way "
        "(SELECT pg_terminate_backend(PROCESS))",
    )
