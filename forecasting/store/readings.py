"""Series and their versioned readings."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
from psycopg.rows import dict_row

from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError
from forecasting.store.binary import unpack_readings
from forecasting.store.database import Connection, statement

BEGINNING, END = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Readings:
    """What was measured, and when it became known."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._keys: dict[str, int] = {}

    def register(self, *group: Series) -> None:
        """Make a demand series and its companions known, demand first; name, region, delay and source may change later, the grid
        may not.

        Raises:
            SettingsError: the stored series has another interval, zone or kind.
        """
        with self.connection.transaction():
            for wanted in group:
                self.connection.execute(statement("register_series"), _parameters(wanted))
                stored = self.series(wanted.series_id)
                assert stored is not None
                if (stored.interval, stored.time_zone, stored.simulated) != (wanted.interval, wanted.time_zone, wanted.simulated):
                    raise SettingsError(
                        f"series {wanted.series_id} is stored with interval {stored.interval}, zone {stored.time_zone} and source "
                        f"{stored.source}, the settings say {wanted.interval}, {wanted.time_zone} and {wanted.source}",
                        "give the changed series a new id",
                    )

    def series(self, series_id: str) -> Series | None:
        """A stored series; None where there is none of that id."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(statement("get_series"), {"series_id": series_id}).fetchone()
        if row is None:
            return None
        self._keys[series_id] = row.pop("series_key")
        return Series(**{**row, "quantity": Quantity(row["quantity"])})

    def stored_ids(self) -> list[str]:
        """Ids of all demand series with readings."""
        rows = self.connection.execute(statement("stored_series"))
        return [str(row[0]) for row in rows]

    def key(self, series: Series) -> int:
        """The surrogate key of a registered series."""
        if series.series_id not in self._keys and self.series(series.series_id) is None:
            raise SettingsError(f"series {series.series_id} has never been ingested", "run 'fortnight ingest' for it first")
        return self._keys[series.series_id]

    def newest(self, series: Series, as_of: datetime) -> datetime | None:
        """Start of the newest interval read so far, as known at `as_of`."""
        row = self.connection.execute(statement("newest_reading"), {"series_key": self.key(series), "as_of": as_of}).fetchone()
        return row[0] if row else None  # type: ignore[return-value]

    def newest_issue(self, series: Series, as_of: datetime, since: datetime) -> datetime | None:
        """When the newest forecast of moments from `since` on was issued, of those known at `as_of`; None where the series is not
        stored, or has none."""
        if series.series_id not in self._keys and self.series(series.series_id) is None:
            return None
        parameters = {"series_key": self.key(series), "as_of": as_of, "since": since}
        row = self.connection.execute(statement("newest_weather_issue"), parameters).fetchone()
        return row[0] if row else None  # type: ignore[return-value]

    def as_of(self, series: Series, as_of: datetime, since: datetime = BEGINNING, until: datetime = END) -> pd.DataFrame:
        """The readings frame as it was known at `as_of`, of intervals that start at `since` or later and before `until`, oldest
        first."""
        parameters = {"series_key": self.key(series), "as_of": as_of, "since": since, "until": until}
        with self.connection.cursor(binary=True) as cursor:
            row = cursor.execute(statement("readings_as_of"), parameters).fetchone()
        assert row is not None
        assert row[0] is None or isinstance(row[0], bytes)
        return unpack_readings(row[0] or b"")


def _parameters(series: Series) -> dict[str, Any]:
    names = (
        "series_id",
        "name",
        "region",
        "time_zone",
        "unit",
        "interval",
        "publication_delay",
        "source",
        "simulated",
        "companion_of",
    )
    return {**{name: getattr(series, name) for name in names}, "quantity": str(series.quantity)}
