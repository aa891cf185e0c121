"""One connection to Postgres: UTC, a supported version, and failures told in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources

import psycopg
from psycopg import conninfo

from forecasting.errors import ConnectionLost, StoreError, Unreachable

MIN_SERVER_VERSION = 150000
REMEDY = "check FORTNIGHT_DATABASE_URL, and that the server is up and lets this user in"
LOSSES = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown, psycopg.errors.CannotConnectNow)
"""What a server says that goes away; one that says nothing leaves no code at all."""

Connection = psycopg.Connection[tuple[object, ...]]


def connect(dsn: str, options: str = "") -> Connection:
    """An autocommit connection with its session in UTC.

    Args:
        options: more settings of the session, as `-c NAME=VALUE`.

    Raises:
        StoreError: a malformed DSN, or a server that is older than PostgreSQL 15.
        Unreachable: a server that does not answer, or refuses us.
    """
    try:
        parameters = conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise StoreError(
            "the database URL is malformed", "write FORTNIGHT_DATABASE_URL as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    parameters.setdefault("connect_timeout", 10)
    parameters.setdefault("application_name", "fortnight")
    parameters["options"] = f"{parameters.get('options', '')} {options} -c timezone=UTC -c client_encoding=UTF8".strip()
    try:
        connection = psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        raise Unreachable(f"cannot connect to {describe(dsn)}: {_first_line(error)}", REMEDY) from None
    if connection.info.server_version < MIN_SERVER_VERSION:
        version = connection.info.server_version // 10000
        connection.close()
        raise StoreError(f"{describe(dsn)} is PostgreSQL {version}", "use PostgreSQL 15 or later")
    return connection


def describe(dsn: str) -> str:
    """A DSN for messages: host, port and database, never user or password."""
    parts = conninfo.conninfo_to_dict(dsn)
    return f"database {parts.get('dbname', 'postgres')!r} at {parts.get('host', 'the default host')}:{parts.get('port', 5432)}"


@contextmanager
def explained(dsn: str) -> Iterator[None]:
    """Faults of the server, not of our statements, as one line: a lost connection, a full disk, a missing right."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
        kind = ConnectionLost if isinstance(error, LOSSES) or error.sqlstate is None else StoreError
        remedy = "make room on the disk that holds it" if isinstance(error, psycopg.errors.DiskFull) else REMEDY
        raise kind(f"{describe(dsn)}: {_first_line(error)}", f"{remedy}; then run again, nothing is half-written") from error


def client_command(program: str, dsn: str, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Command line and environment variables of a program of PostgreSQL's on this database; the password stays out of the process
    list."""
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "sslmode": "PGSSLMODE",
        "sslrootcert": "PGSSLROOTCERT",
    }
    parts = conninfo.conninfo_to_dict(dsn)
    from forecasting.store.embedded import BINARIES  # its programs are as new as its server, and talk to older ones too

    environment = {variable: str(parts[name]) for name, variable in names.items() if parts.get(name) is not None}
    return [str(BINARIES / program), *arguments], {**environment, "PGTZ": "UTC"}


def psql(dsn: str, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Command line and environment variables of a psql on this database."""
    return client_command("psql", dsn, arguments)


@cache
def statement(name: str) -> bytes:
    """The SQL statement in `sql/NAME.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_bytes()


def _first_line(error: Exception) -> str:
    """The server's own words, without libpq's preamble."""
    return (str(error).strip().splitlines() or [""])[0].rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip() or type(
        error
    ).__name__
