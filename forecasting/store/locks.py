"""One run at a time for each series."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from forecasting.errors import AlreadyRunning
from forecasting.store.database import connect


@contextmanager
def series_lock(dsn: str, series_id: str) -> Iterator[None]:
    """Hold a series until the block ends or this process dies, on a connection of its own.

    A row lock on a private table: readers cannot take it, and Postgres lets go of it the moment the holder's connection breaks.
    Whether it broke is no matter at the end: the work is done by then.

    Raises:
        AlreadyRunning: another run holds the series.
    """
    with closing(connect(dsn)) as connection:
        connection.execute("INSERT INTO fortnight.series_lock (series_id) VALUES (%s) ON CONFLICT DO NOTHING", (series_id,))
        connection.execute("BEGIN")
        try:
            connection.execute("SELECT FROM fortnight.series_lock WHERE series_id = %s FOR UPDATE NOWAIT", (series_id,))
        except psycopg.errors.LockNotAvailable:
            raise AlreadyRunning(
                f"series {series_id}: already running", "wait for the other run to end; it does the same work"
            ) from None
        yield
