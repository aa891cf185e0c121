"""Postgres: the only package that imports psycopg. SQL lives in `sql/`, one statement a file; the schema in `migrations/`."""

from contextlib import AbstractContextManager
from types import TracebackType

from forecasting.store.access import Access
from forecasting.store.alerts import Alerts
from forecasting.store.backfills import Backfills
from forecasting.store.database import connect
from forecasting.store.forecasts import Forecasts
from forecasting.store.ingests import Ingests
from forecasting.store.locks import series_lock
from forecasting.store.outbox import Outbox
from forecasting.store.readings import Readings
from forecasting.store.retention import Retention
from forecasting.store.runs import Ending, NewRun, Runs, recorded_run
from forecasting.store.schema import migrate
from forecasting.store.versions import Versions
from forecasting.store.watched import Watched

__all__ = ["Ending", "NewRun", "Store"]


class Store:
    """A migrated database, by subject. Use it as a context manager."""

    def __init__(self, dsn: str) -> None:
        """Connect, and bring the schema up to date.

        Raises:
            StoreError: no connection, too old a server, or no right to migrate.
        """
        self.dsn = dsn
        self.connection = connect(dsn)
        try:
            migrate(self.connection, dsn)
        except BaseException:
            self.connection.close()
            raise
        self.readings = Readings(self.connection)
        self.ingests = Ingests(self.connection)
        self.backfills = Backfills(self.connection)
        self.versions = Versions(self.connection)
        self.forecasts = Forecasts(self.connection)
        self.alerts = Alerts(self.connection)
        self.access = Access(self.connection)
        self.retention = Retention(self.connection)
        self.watched = Watched(self.connection)
        self.outbox = Outbox(self.connection)
        self.runs = Runs(self.connection)

    def hold(self, series_id: str) -> AbstractContextManager[None]:
        """Hold a series for the length of a block; see `series_lock`."""
        return series_lock(self.dsn, series_id)

    def recorded(self, run: NewRun) -> AbstractContextManager[Ending]:
        """Write a run down and hold it for the length of a block; see `recorded_run`."""
        return recorded_run(self.dsn, run)

    def transaction(self) -> AbstractContextManager[object]:
        """All that the block writes becomes visible together, or not at all."""
        return self.connection.transaction()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.connection.close()
