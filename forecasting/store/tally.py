"""Counting what there is, and holding work up at a table: for drills."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from forecasting.store.database import Connection, connect, statement


@dataclass(frozen=True, slots=True)
class Tally:
    """What there is, and whatever of it is not whole or there twice; `readings` are intervals of one series, `open_steps` steps of
    runs that ended without them."""

    issues: int
    partial_issues: int
    doubled_issues: int
    versions: int
    doubled_versions: int
    readings: int
    open_steps: int

    @property
    def faults(self) -> int:
        """How much is not whole or there twice."""
        return self.partial_issues + self.doubled_issues + self.doubled_versions + self.open_steps


def tally(connection: Connection, series_id: str) -> Tally:
    """Count now."""
    with connection.cursor(row_factory=class_row(Tally)) as cursor:
        found = cursor.execute(statement("tally"), {"series_id": series_id}).fetchone()
    assert found is not None
    return found


@contextmanager
def held_up(dsn: str, table: str) -> Iterator[Connection]:
    """Let nobody write to a table of ours for the length of the block, or until the server goes down; reading goes on."""
    with closing(connect(dsn)) as connection:
        connection.execute("BEGIN")
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier("fortnight", table)))
        yield connection


def is_awaited(connection: Connection, table: str) -> bool:
    """Whether a writer has come to a table that is held up; False where the server went away."""
    try:
        row = connection.execute(statement("is_awaited"), {"name": f"fortnight.{table}"}).fetchone()
    except psycopg.OperationalError:
        return False
    return row == (True,)


def misregister(connection: Connection, model_version_key: int, weights_sha256: str, card_sha256: str) -> None:
    """Let other files count as those that were registered for a version."""
    parameters = {"key": model_version_key, "weights": weights_sha256, "card": card_sha256}
    connection.execute(statement("misregister"), parameters)
