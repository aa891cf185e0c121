"""What is stored, at a glance."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from forecasting.store.database import Connection, statement


@dataclass(frozen=True, slots=True)
class SeriesState:
    """One quantity of one series. Times are empty where there is nothing yet; forecast and alerts belong to demand."""

    series_id: str
    demand_id: str
    quantity: str
    source: str
    interval: timedelta
    publication_delay: timedelta
    newest_end: datetime | None
    last_run_as_of: datetime | None
    last_refusal: str | None
    gaps: int
    missing_readings: int
    asked_gaps: int
    quarantined: int
    newly_quarantined: int
    forecast_origin: datetime | None
    forecast_issued_at: datetime | None
    model_name: str | None
    model_version: int | None
    forecast_tier: str | None
    forecast_reason: str | None
    feed_at_fault: str | None
    open_alerts: int


def series_states(connection: Connection, recent_since: datetime, asked_since: datetime) -> list[SeriesState]:
    """Every stored series with its companions.

    Args:
        recent_since: rows quarantined after it count as new.
        asked_since: gaps that end after it are still asked for.
    """
    with connection.cursor(row_factory=class_row(SeriesState)) as cursor:
        return cursor.execute(statement("status"), {"recent_since": recent_since, "asked_since": asked_since}).fetchall()


def database_bytes(connection: Connection) -> int:
    """What the whole database takes on disk."""
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(str(row[0]))
