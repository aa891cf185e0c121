"""Reading from somebody else's Postgres: read-only, in UTC, in chunks."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg import conninfo, postgres
from psycopg.types.string import ByteaBinaryLoader

from forecasting.errors import SourceError
from forecasting.frames import CHUNK_ROWS
from forecasting.store.database import describe

MOMENT, LOCAL_TIME = (postgres.types[name].oid for name in ("timestamptz", "timestamp"))
NUMBERS = {postgres.types[name].oid for name in ("int2", "int4", "int8", "float4", "float8", "numeric")}
POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which Postgres counts."""
LONGEST_TIME_US = 250_000_000_000_000_000
"""Nearly 8,000 years from 1970; beyond lie `infinity` and times that no reading has."""
ALIVE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""A server that vanished is noticed within a minute."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Some rows of a query: times in UTC with NaT where there is none, numbers with NaN where there is none."""

    interval_start: pd.DatetimeIndex
    value: np.ndarray
    is_null: np.ndarray
    known_at: pd.DatetimeIndex | None


def answers(dsn: str, query: str, parameters: Mapping[str, datetime], timeout_s: float) -> Iterator[Answer]:
    """The rows of a query of a time, a number and, if it has a third column, another time; at most CHUNK_ROWS at once.

    It runs in a read-only transaction, through a cursor on the server.

    Args:
        timeout_s: for the query to begin its answer, and again for each chunk of it.

    Raises:
        SourceError: a server that does not answer or refuses us, a query that fails or takes too long, other columns.
    """
    with _explained(dsn), _connected(dsn) as connection:
        connection.read_only = True
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, round(timeout_s * 1000)))])
        connection.adapters.register_loader("timestamptz", ByteaBinaryLoader)  # as it is: decoded by the thousand below
        with connection.cursor("fortnight") as cursor:
            cursor.execute(query, parameters, binary=True)
            _require_columns(dsn, cursor.description or [])
            while rows := cursor.fetchmany(CHUNK_ROWS):
                columns = list(zip(*rows, strict=True))
                value = np.array(columns[1], dtype=float)
                yield Answer(_moments(columns[0]), value, _is_null(columns[1]), _moments(columns[2]) if len(columns) == 3 else None)


def _connected(dsn: str) -> "psycopg.Connection[tuple[Any, ...]]":
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise SourceError(
            "the DSN of the SQL source is malformed", "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    options = f"{given.get('options', '')} -c timezone=UTC -c client_encoding=UTF8".strip()
    return psycopg.connect(**{**ALIVE, "application_name": "fortnight", **given, "options": options})  # type: ignore[arg-type]


@contextmanager
def _explained(dsn: str) -> Iterator[None]:
    """Whatever the server says, in one line without user and password; libpq's own words can hold both."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        problem, remedy = "the query took too long", "ask for less, add an index, or raise the source's timeout_s"
    except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege) as error:
        problem, remedy = _words(error, dsn), "the query may only read, and its user needs SELECT on what it reads"
    except psycopg.OperationalError as error:
        problem, remedy = _words(error, dsn), "check the DSN, and that the server is up and lets this user in"
    except (psycopg.Error, UnicodeError) as error:
        problem, remedy = _words(error, dsn), "correct the query in fortnight.toml; a percent sign is written %%"
    else:
        return
    raise SourceError(f"{describe(dsn)}: {problem}", remedy) from None


def _words(error: Exception, dsn: str) -> str:
    """The server's words on one line."""
    text = (str(error).strip().splitlines() or [""])[0].rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip()
    defaults = {option.keyword.decode(): (option.val or b"").decode() for option in psycopg.pq.Conninfo.get_defaults()}
    given = {**defaults, **conninfo.conninfo_to_dict(dsn)}
    for secret in (given.get("password"), given.get("user")):
        if secret:
            text = re.sub(rf"(?<!\w){re.escape(str(secret))}(?!\w)", "***", text)
    return text or type(error).__name__


def _require_columns(dsn: str, columns: "list[psycopg.Column]") -> None:
    """Raises SourceError unless the query gives a time, a number and possibly a time."""
    name = f"the query on {describe(dsn)}"
    if len(columns) not in (2, 3):
        raise SourceError(
            f"{name} gives {len(columns)} columns ({', '.join(column.name for column in columns)})",
            "let it give interval_start, value and, where it is known, known_at",
        )
    for column in (columns[0], *columns[2:]):
        if column.type_code == LOCAL_TIME:
            raise SourceError(
                f"column {column.name} of {name} is a timestamp without time zone",
                f"say which zone it is in: {column.name} AT TIME ZONE 'UTC', or 'Europe/Berlin'",
            )
        if column.type_code != MOMENT:
            raise SourceError(f"column {column.name} of {name} is {column.type_display}, not timestamptz", "cast it in the query")
    if columns[1].type_code not in NUMBERS:
        raise SourceError(
            f"column {columns[1].name} of {name} is {columns[1].type_display}, not a number", "cast it in the query to float8"
        )


def _moments(cells: tuple[bytes | None, ...]) -> pd.DatetimeIndex:
    """Times in Postgres' binary format: microseconds since 2000, big-endian."""
    moments = np.full(len(cells), np.datetime64("NaT", "us"))
    since_2000 = np.frombuffer(b"".join(filter(None, cells)), dtype=">i8").astype(np.int64)
    plausible = (since_2000 > -LONGEST_TIME_US) & (since_2000 < LONGEST_TIME_US)
    since_1970 = np.where(plausible, since_2000 + POSTGRES_EPOCH_US * plausible, np.iinfo(np.int64).min)
    moments[~_is_null(cells)] = since_1970.view("datetime64[us]")
    return pd.DatetimeIndex(moments, tz="UTC")


def _is_null(cells: tuple[object, ...]) -> np.ndarray:
    return np.asarray(np.equal(np.array(cells, dtype=object), np.array(None, dtype=object)), dtype=bool)
