"""Bringing a database to the present schema."""

from importlib import resources

import psycopg

from forecasting.errors import StoreError
from forecasting.store.database import Connection

LOCK_TIMEOUT = "30s"
LET_OWNERS_MIGRATE = """
    DO $$ BEGIN
        IF has_table_privilege('public.schema_lock', 'SELECT WITH GRANT OPTION') THEN
            GRANT ALL ON public.schema_lock TO fortnight_owner;
        END IF;
    END $$
"""
"""By whoever made the table; here, since a migration on its own connection would wait for the lock that is held meanwhile."""


def revisions() -> list[str]:
    """The revisions that this code knows, oldest first: the numbers that the files in `migrations/versions` begin with."""
    folder = resources.files(__package__).joinpath("migrations", "versions")
    return sorted({file.name[:4] for file in folder.iterdir() if file.name.endswith(".sql")})


def head() -> str:
    """The newest of them."""
    return revisions()[-1]


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first.

    Raises:
        StoreError: this login has no business here.
    """
    row = connection.execute("SELECT to_regclass('public.schema_version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return None
    try:
        row = connection.execute("SELECT version_num FROM public.schema_version").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        raise StoreError(
            f"login {connection.info.user} may not run the service",
            "use a login of role writer (fortnight access NAME --role writer); readers connect with psql or a dashboard",
        ) from None
    return None if row is None else str(row[0])


def migrate(connection: Connection, dsn: str) -> None:
    """Run every migration that the database lacks; nothing, and no right to migrate, is needed where it is up to date.

    Safe to call from several processes at once: one migrates, the others wait for it.

    Raises:
        StoreError: the database belongs to a newer fortnight, or the user may not create what is needed.
    """
    if _is_current(connection):
        return
    try:
        _ensure_lock_table(connection)
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            connection.execute("LOCK TABLE public.schema_lock IN ACCESS EXCLUSIVE MODE")
            if not _is_current(connection):
                _upgrade(dsn)
                connection.execute("SELECT fortnight.settle_access()")
                connection.execute(LET_OWNERS_MIGRATE)
    except psycopg.errors.LockNotAvailable:
        raise StoreError(f"another process has been migrating for {LOCK_TIMEOUT}", "see what holds it, then run again") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(error) from None


def _ensure_lock_table(connection: Connection) -> None:
    """A table that only those who migrate may lock; an advisory lock could be taken by any reader.

    Of several first runs at once one makes it, and the others find it or are told that it has just come.
    """
    row = connection.execute("SELECT to_regclass('public.schema_lock') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        try:
            connection.execute("CREATE TABLE public.schema_lock ()")
        except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            return


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
    finally:
        engine.dispose()


def _not_allowed(error: psycopg.Error) -> StoreError:
    """The migration's own hint says what is missing, where it knows."""
    return StoreError(
        f"this user may not create the schema ({error.diag.message_primary})",
        error.diag.message_hint or "run 'fortnight migrate' once as the owner of the database",
    )
