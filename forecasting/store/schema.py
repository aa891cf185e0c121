"""Bringing a database to the present schema."""

import logging
from importlib import resources

import psycopg

from forecasting.errors import StoreError
from forecasting.store.database import Connection
from forecasting.store.upgrading import Step, titles, upgrade

logger = logging.getLogger(__name__)

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


def oldest_code(connection: Connection) -> str | None:
    """The newest migration that the oldest code knows which still works with this schema; None in a schema that does not say."""
    row = connection.execute("SELECT to_regclass('fortnight.schema_floor') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return None
    row = connection.execute("SELECT oldest_code FROM fortnight.schema_floor").fetchone()
    return None if row is None else str(row[0])


def ensure_roles(connection: Connection) -> None:
    """The three roles of the cluster, made where they are missing, as the migration does that first needs them.

    Raises:
        StoreError: this login may not make them.
    """
    try:
        connection.execute(resources.files(__package__).joinpath("migrations", "versions", "0007_roles.sql").read_bytes())
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(error) from None


def pending(connection: Connection) -> list[Step]:
    """The migrations that the database lacks, oldest first.

    Raises:
        StoreError: as `migrate`.
    """
    return [] if _is_current(connection) else titles(current(connection))


def migrate(connection: Connection, dsn: str) -> list[Step]:
    """Run every migration that the database lacks; nothing, and no right to migrate, is needed where it is up to date.

    Safe to call from several processes at once: one migrates, the others wait for it. A newer schema is left alone and worked with,
    if it says that code as old as this may.

    Raises:
        StoreError: the database belongs to a newer fortnight, the user may not create what is needed, or somebody is in the way.
    """
    done: list[Step] = []
    if _is_current(connection):
        return done
    before = current(connection)
    try:
        _ensure_lock_table(connection)
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            connection.execute("LOCK TABLE public.schema_lock IN ACCESS EXCLUSIVE MODE")
            if not _is_current(connection):
                done = upgrade(dsn)
                connection.execute("SELECT fortnight.settle_access()")
                connection.execute(LET_OWNERS_MIGRATE)
    except psycopg.errors.LockNotAvailable:
        raise StoreError(f"another process has been migrating for {LOCK_TIMEOUT}", "see what holds it, then run again") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(error) from None
    if done and before is not None:
        logger.warning("the database was at schema %s and is at %s now", before, done[-1].revision)
    return done


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
    at, known = current(connection), revisions()
    if at is None or at in known:
        return at == known[-1]
    oldest = oldest_code(connection)
    if at < known[-1] or oldest is None or oldest > known[-1]:
        raise StoreError(
            f"the database is at schema {at}, which this fortnight does not know: it knows up to {known[-1]}, and the schema works "
            f"with code from {oldest or at} on",
            "upgrade fortnight; or to stay with this one, restore the backup made before the upgrade into an empty database",
        )
    logger.warning("the database is at schema %s, this fortnight knows up to %s and may still work with it", at, known[-1])
    return True


def _not_allowed(error: psycopg.Error) -> StoreError:
    """The migration's own hint says what is missing, where it knows."""
    return StoreError(
        f"this user may not create the schema ({error.diag.message_primary})",
        error.diag.message_hint or "run 'fortnight migrate' once as the owner of the database",
    )
