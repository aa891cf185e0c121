"""Alert episodes."""

from datetime import datetime

from forecasting.store.database import Connection, statement


class Alerts:
    """Rows of `alert`: at most one open for a series and rule."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def open(self, series_key: int, rule: str, as_of: datetime, message: str) -> bool:
        """Begin an episode; False where one is open already."""
        parameters = {"series_key": series_key, "rule": rule, "as_of": as_of, "message": message}
        return self.connection.execute(statement("open_alert"), parameters).fetchone() is not None

    def resolve(self, series_key: int, rule: str, as_of: datetime) -> bool:
        """End the open episode; False where none is open, or where it began after `as_of`."""
        parameters = {"series_key": series_key, "rule": rule, "as_of": as_of}
        return self.connection.execute(statement("resolve_alert"), parameters).fetchone() is not None
