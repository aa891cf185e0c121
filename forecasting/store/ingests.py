"""The way in: what a source delivered is staged, then merged with the readings in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from forecasting.domain import Series
from forecasting.frames import Batch
from forecasting.store.binary import pack_readings
from forecasting.store.database import Connection, statement

IngestKind = Literal["daily", "gap", "backfill"]


@dataclass(frozen=True, slots=True)
class Added:
    """What an ingest of one quantity did. Rows that were known already are in `read` only."""

    read: int = 0
    new: int = 0
    corrected: int = 0
    quarantined: int = 0

    def __add__(self, other: "Added") -> "Added":
        return Added(
            self.read + other.read,
            self.new + other.new,
            self.corrected + other.corrected,
            self.quarantined + other.quarantined,
        )


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked for: intervals that lie wholly between `start` and `end`, as known at `as_of`."""

    start: datetime
    end: datetime
    as_of: datetime
    kind: IngestKind = "daily"


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole between readings."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class CorrectionUse:
    """How many readings one run corrected, and who had used the old values."""

    readings: int
    models: list[str]
    forecasts: int


class Ingests:
    """Rows of `ingest_run`, `reading`, `quarantine`, `gap` and `correction`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def clear_stage(self) -> None:
        """Empty the staging tables of this session, making them if need be."""
        self.connection.execute("DROP TABLE IF EXISTS pg_temp.staged_reading, pg_temp.staged_rejected")
        self.connection.execute(statement("stage"))

    def stage(self, series_key: int, batch: Batch) -> None:
        """Put a checked batch beside the readings; nothing of it is visible to anybody."""
        with self.connection.cursor() as cursor:
            if len(batch.readings):
                with cursor.copy("COPY staged_reading FROM STDIN (FORMAT binary)") as copy:
                    copy.write(pack_readings(series_key, batch.readings))
            if len(batch.rejected):
                with cursor.copy("COPY staged_rejected FROM STDIN") as copy:
                    starts = [None if start is pd.NaT else start for start in batch.rejected["interval_start"]]
                    for reason, raw, start in zip(batch.rejected["reason"], batch.rejected["raw"], starts, strict=True):
                        copy.write_row((series_key, reason, raw, start))

    def set_aside_doubles(self, series_key: int) -> int:
        """Make the staged readings unique; how many were rejected for contradicting each other."""
        rejected = self.connection.execute(statement("set_aside_doubles"), {"series_key": series_key}).rowcount
        self.connection.execute(statement("drop_doubles"), {"series_key": series_key})
        return rejected

    def merge(self, series: Series, key: int, window: Window, rows_read: int, *, states_known_at: bool) -> Added:
        """Add what is new or changed of the staged readings, quarantine what was rejected, and record the run and the gaps that
        are left: all of it or nothing. The staged readings must be unique.

        Args:
            states_known_at: the staged readings say when each became known.
        """
        bounds = _bounds(series, key, window)
        with self.connection.transaction(), self.connection.cursor() as cursor:
            # One merge of a series at a time: a backfill and a daily run may both be at work.
            cursor.execute("SELECT FROM fortnight.series WHERE series_key = %s FOR NO KEY UPDATE", (key,))
            run = {"source": series.source, "states_known_at": states_known_at, "refused": None, "rows_read": rows_read}
            bounds["ingest_run_id"] = _one(cursor.execute(statement("start_ingest_run"), {**bounds, **run}).fetchone())
            cursor.execute(statement("add_stated_readings" if states_known_at else "add_readings"), bounds)
            row = cursor.fetchone()
            assert row is not None
            new, corrected = int(str(row[0])), int(str(row[1]))
            quarantined = cursor.execute(statement("quarantine_rejected"), bounds).rowcount
            cursor.execute(statement("release_quarantined"), bounds)
            counts = {"rows_new": new, "rows_corrected": corrected, "rows_quarantined": quarantined}
            cursor.execute(statement("finish_ingest_run"), {**bounds, **counts})
            if not states_known_at and _one(cursor.execute(statement("has_later_run"), bounds).fetchone()):
                for repair in ("affirm_later_runs", "drop_repeated", "date_again"):
                    cursor.execute(statement(repair), bounds)
            if not series.quantity.is_forecast:
                cursor.execute(statement("record_gaps"), bounds)
        return Added(rows_read, new, corrected, quarantined)

    def refuse(self, series: Series, key: int, window: Window, reason: str) -> None:
        """Note that what was asked for did not come, or was refused whole."""
        run = {"source": series.source, "states_known_at": False, "refused": reason, "rows_read": 0}
        self.connection.execute(statement("start_ingest_run"), {**_bounds(series, key, window), **run})

    def open_gaps(self, series_key: int, since: datetime, until: datetime) -> list[Gap]:
        """Gaps on record between two moments, oldest first."""
        parameters = {"series_key": series_key, "since": since, "until": until}
        return [Gap(*row) for row in self.connection.execute(statement("open_gaps"), parameters).fetchall()]  # type: ignore[arg-type]

    def correction_use(self, series_id: str, known_at: datetime) -> CorrectionUse:
        """Who had used the values that were corrected at a moment."""
        row = self.connection.execute(statement("correction_use"), {"series_id": series_id, "known_at": known_at}).fetchone()
        assert row is not None
        return CorrectionUse(*row)  # type: ignore[arg-type]


def _bounds(series: Series, key: int, window: Window) -> dict[str, Any]:
    return {
        "series_key": key,
        "interval": series.interval,
        "due_after": series.interval + series.publication_delay,
        "as_of": window.as_of,
        "window_start": window.start,
        "window_end": max(window.start, min(window.end, window.as_of - series.publication_delay)),
        "kind": window.kind,
        "is_forecast": series.quantity.is_forecast,
    }


def _one(row: tuple[object, ...] | None) -> Any:
    assert row is not None
    return row[0]
