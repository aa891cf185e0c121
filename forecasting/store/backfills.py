"""How far backfills have come."""

from datetime import datetime

from forecasting.store.database import Connection, statement


class Backfills:
    """Rows of `backfill`: one while a backfill is under way or interrupted."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def done_until(self, series_id: str, start: datetime, end: datetime) -> datetime | None:
        """Where an interrupted backfill of the same stretch got to."""
        row = self.connection.execute(
            "SELECT done_until FROM fortnight.backfill WHERE series_id = %s AND backfill_start = %s AND backfill_end = %s",
            (series_id, start, end),
        ).fetchone()
        return row[0] if row else None  # type: ignore[return-value]

    def note(self, series_id: str, start: datetime, end: datetime, done_until: datetime) -> None:
        """All before `done_until` is stored."""
        parameters = {"series_id": series_id, "start": start, "end": end, "done_until": done_until}
        self.connection.execute(statement("note_backfill"), parameters)

    def forget(self, series_id: str, start: datetime, end: datetime) -> None:
        """It is complete: the same command would begin anew."""
        self.connection.execute(
            "DELETE FROM fortnight.backfill WHERE series_id = %s AND backfill_start = %s AND backfill_end = %s",
            (series_id, start, end),
        )
