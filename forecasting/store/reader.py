"""What a reader may read, and nothing else: a login of role fortnight_reader suffices, and no migration is run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from forecasting.errors import StoreError
from forecasting.store.database import Connection, connect, describe, explained, statement
from forecasting.store.published import Ahead, LeadAccuracy, Pair, PublishedAlert, Reign, Retrain, Standing, Step

LIMITS = "-c default_transaction_read_only=on -c statement_timeout=15s"
"""Whoever waits for a page would rather be told that the database does not answer."""
Row = TypeVar("Row")


class Published:
    """The schema `published` on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def standings(self, series_id: str | None = None) -> list[Standing]:
        """Every demand series, or one, by id."""
        return self._rows(Standing, "page_standings", {"series_id": series_id})

    def forecast(self, series_id: str) -> list[Ahead]:
        """The newest, by lead."""
        return self._rows(Ahead, "page_forecast", {"series_id": series_id})

    def days(self, series_id: str, since: datetime) -> list[tuple[date, float]]:
        """Energy (MWh) of each whole local day that begins at `since` or later, as it is known now."""
        rows = self.connection.execute(statement("page_days"), {"series_id": series_id, "since": since})
        return [(day, float(str(energy))) for day, energy in rows]  # type: ignore[misc]

    def pairs(self, series_id: str, since: date, leads: Sequence[int]) -> list[Pair]:
        """By target day and lead."""
        return self._rows(Pair, "page_pairs", {"series_id": series_id, "since": since, "leads": list(leads)})

    def accuracy(self, series_id: str, since: date) -> list[LeadAccuracy]:
        """By lead, over the target days since."""
        return self._rows(LeadAccuracy, "page_accuracy", {"series_id": series_id, "since": since})

    def alerts(self, series_id: str | None, closed: int) -> list[PublishedAlert]:
        """Those of a series and of all together, or of every series: the open ones, then so many of the last that are over."""
        return self._rows(PublishedAlert, "page_alerts", {"series_id": series_id, "closed": closed})

    def champions(self, series_id: str, most: int) -> list[Reign]:
        """Newest first."""
        return self._rows(Reign, "page_champions", {"series_id": series_id, "most": most})

    def steps(self, series_id: str, most: int) -> list[Step]:
        """Of runs about a series and about all together, newest first."""
        return self._rows(Step, "page_runs", {"series_id": series_id, "most": most})

    def last_steps(self, since: datetime) -> list[Step]:
        """The newest of each job of each series, of those that began after a moment and have ended."""
        return self._rows(Step, "page_last_steps", {"since": since})

    def retrains(self, series_id: str | None = None) -> list[Retrain]:
        """The newest of each series."""
        return self._rows(Retrain, "page_retrain", {"series_id": series_id})

    def _rows(self, kind: type[Row], name: str, parameters: dict[str, Any]) -> list[Row]:
        with self.connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(statement(name), parameters).fetchall()


class Reader:
    """The way to a database for reading only. Each block has a connection of its own, so that a restart of Postgres harms one."""

    def __init__(self, dsn: str) -> None:
        """
        Args:
            dsn: nothing is connected yet, so the server may be down.
        """
        self.dsn = dsn

    @contextmanager
    def open(self) -> Iterator[Published]:
        """A read-only session with time limits.

        Raises:
            StoreError: the server does not answer or goes away, refuses us, takes too long, or lacks what is to be read.
        """
        try:
            with explained(self.dsn), connect(self.dsn, LIMITS) as connection:
                yield Published(connection)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName) as error:
            missing = error.diag.message_primary or "something"
            raise StoreError(
                f"{describe(self.dsn)} is not at the present schema: {missing}", "run 'fortnight migrate' as its owner"
            ) from None
