"""What Postgres knows of the time."""

from datetime import datetime

from forecasting.store.database import Connection, statement


def clocks(connection: Connection) -> tuple[datetime, datetime | None]:
    """Its own clock, and the newest moment as of which anything was ingested; None before the first ingest."""
    row = connection.execute(statement("clocks")).fetchone()
    assert row is not None
    return row  # type: ignore[return-value]
