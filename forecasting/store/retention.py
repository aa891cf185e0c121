"""What is kept of old forecasts: some leads of each, and a few issues whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from forecasting.errors import StoreError
from forecasting.store.database import Connection, statement

LOCK_TIMEOUT = "3s"
"""Space is given back only while nobody else is at the month: longer than this neither we nor those behind us wait."""


@dataclass(frozen=True, slots=True)
class CompactedMonth:
    """What became of one month, or would become of it. Bytes include indexes; `given_back` is False where readers were at it, so
    that the space is free for reuse only."""

    month: date
    rows_before: int
    rows_dropped: int
    paths_dropped: int
    bytes_before: int
    bytes_after: int
    given_back: bool


@dataclass(frozen=True, slots=True)
class KeptWhole:
    """How many issues stay whole, for one reason."""

    reason: str
    issues: int


class Retention:
    """Compaction of `forecast_value` and `forecast_path`, month by month; the owner's right."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def hold(self, issue_id: int, reason: str) -> None:
        """Keep an issue whole for good.

        Raises:
            StoreError: there is no such issue.
        """
        try:
            self.connection.execute(statement("hold_issue"), {"issue_id": issue_id, "reason": reason})
        except psycopg.errors.ForeignKeyViolation:
            raise StoreError(f"there is no issue {issue_id}", "see the numbers: SELECT issue_id FROM published.issue") from None

    def kept(self, before: datetime) -> list[KeptWhole]:
        """Issues before a moment that stay whole, by reason; one may have several."""
        return [KeptWhole(*row) for row in self.connection.execute(statement("issues_kept"), {"before": before})]  # type: ignore[arg-type]

    def compact(self, before: datetime, leads: Sequence[int], *, dry_run: bool) -> Iterator[CompactedMonth]:
        """Drop the values of other leads, and all paths, of the months wholly before a moment, oldest first. Each month is a
        transaction of its own: interrupted, the same call goes on.

        Raises:
            StoreError: no right to.
        """
        months = self.connection.execute(statement("months_before"), {"before": before}).fetchall()
        for month, name in months:
            assert isinstance(month, date)
            try:
                yield self._compact(month, sql.Identifier("fortnight", str(name)), leads, dry_run=dry_run)
            except psycopg.errors.InsufficientPrivilege:
                raise StoreError(
                    f"login {self.connection.info.user} may not drop forecasts",
                    "compact as a member of fortnight_owner, such as the login that migrated the database",
                ) from None

    def _compact(self, month: date, part: sql.Identifier, leads: Sequence[int], *, dry_run: bool) -> CompactedMonth:
        rows, size = self._rows(part), self._bytes(part)
        dropped = self.connection.execute(
            statement("compact"), {"month": month, "leads": list(leads), "dry_run": dry_run}
        ).fetchone()
        assert dropped is not None
        given_back = not dry_run and self._give_back(month, part)
        return CompactedMonth(
            month, rows, int(str(dropped[0])), int(str(dropped[1])), size, size if dry_run else self._bytes(part), given_back
        )

    def _give_back(self, month: date, part: sql.Identifier) -> bool:
        """Rewrite a month that lost rows, also one whose last compaction was interrupted before this."""
        row = self.connection.execute("SELECT vacuum_due FROM fortnight.forecast_month WHERE month = %s", (month,)).fetchone()
        if row is None or not row[0]:
            return True
        self.connection.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
        try:
            self.connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(part))
        except psycopg.errors.LockNotAvailable:
            self.connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(part))
            return False
        finally:
            self.connection.execute("RESET lock_timeout")
        self.connection.execute("UPDATE fortnight.forecast_month SET vacuum_due = false WHERE month = %s", (month,))
        return True

    def vacuum_paths(self) -> None:
        """Free the space of dropped paths for the next ones."""
        self.connection.execute("VACUUM fortnight.forecast_path")

    def _rows(self, part: sql.Identifier) -> int:
        row = self.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(part)).fetchone()
        assert row is not None
        return int(str(row[0]))

    def _bytes(self, part: sql.Identifier) -> int:
        row = self.connection.execute("SELECT pg_total_relation_size(%s)", (part.as_string(self.connection),)).fetchone()
        assert row is not None
        return int(str(row[0]))
