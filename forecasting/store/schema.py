"""Bringing a database to the present schema."""

from importlib import resources

import psycopg

from forecasting.errors import StoreError
from forecasting.store.database import Connection

MIGRATION_LOCK = 0x666F7274  # any number of our own; held only while migrating
LOCK_TIMEOUT = "30s"


def revisions() -> list[str]:
    """The revisions that this code knows, oldest first: the numbers that the files in `migrations/versions` begin with."""
    folder = resources.files(__package__).joinpath("migrations", "versions")
    return sorted({file.name[:4] for file in folder.iterdir() if file.name.endswith(".sql")})


def head() -> str:
    """The newest of them."""
    return revisions()[-1]


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    row = connection.execute("SELECT to_regclass('public.schema_version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return None
    row = connection.execute("SELECT version_num FROM public.schema_version").fetchone()
    return None if row is None else str(row[0])


def migrate(connection: Connection, dsn: str) -> None:
    """Run every migration that the database lacks; nothing where it is up to date.

    Safe to call from several processes at once: one migrates, the others wait for it.

    Raises:
        StoreError: the database belongs to a newer fortnight, or the user may not create what is needed.
    """
    if _is_current(connection):
        return
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            if not _is_current(connection):
                _upgrade(dsn)
    except psycopg.errors.LockNotAvailable:
        raise StoreError(f"another process has been migrating for {LOCK_TIMEOUT}", "see what holds it, then run again") from None


def _is_current(connection: Connection) -> bool:
    at = current(connection)
    if at is not None and at not in revisions():
        raise StoreError(f"the database is at schema {at}, which this fortnight does not know", "upgrade fortnight")
    return at == head()


def _upgrade(dsn: str) -> None:
    """Alembic on a connection of its own: each migration is one transaction, while the caller holds the lock."""
    from alembic import command  # heavy, and needed once in a database's life
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ProgrammingError
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", "forecasting.store:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except ProgrammingError as error:
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        raise _not_allowed(error.orig) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(error) from None
    finally:
        engine.dispose()


def _not_allowed(error: psycopg.Error) -> StoreError:
    return StoreError(
        f"this user may not create the schema ({error.diag.message_primary})",
        "run 'fortnight migrate' once as the owner of the database",
    )
