"""What a watch looks at: what was forecast, by which tier, and what was refused of the readings."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from forecasting.domain import Resolution
from forecasting.store.database import Connection, statement
from forecasting.store.forecasts import Tier


@dataclass(frozen=True, slots=True)
class WatchedForecast:
    """One lead of one origin, MWh; what belongs to a model is None for weekly naive made on the spot, what belongs to the
    predecessor where there was none."""

    origin: datetime
    lead: int
    target_start: datetime
    issue_id: int
    tier: Tier
    family: str | None
    version: int | None
    mlflow_run_id: str | None
    q10: float
    q50: float
    q90: float
    before_q10: float | None
    before_q50: float | None
    before_q90: float | None


@dataclass(frozen=True, slots=True)
class WatchedIssue:
    """How an issue came to be."""

    issue_id: int
    readings_as_of: datetime
    origin: datetime
    tier: Tier
    feed_at_fault: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class LeadAccuracy:
    """How good the published forecasts of one lead were; None where no day can be compared. Skill is against weekly naive."""

    lead: int
    n: int
    mape_percent: float | None
    weekly_naive_mape_percent: float | None
    pinball_mwh: float
    skill: float | None
    coverage_80: float


class Watched:
    """Everything as it was known at a moment, so that the past can be watched again."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def forecasts(
        self, series_key: int, resolution: Resolution, since: datetime, as_of: datetime, leads: int
    ) -> list[WatchedForecast]:
        """Of all origins from `since` on, by origin and lead."""
        parameters = {"series_key": series_key, "resolution": resolution, "since": since, "as_of": as_of, "leads": leads}
        with self.connection.cursor(row_factory=class_row(WatchedForecast)) as cursor:
            return cursor.execute(statement("watched_forecasts"), parameters).fetchall()

    def issues(self, series_key: int, resolution: Resolution, as_of: datetime, limit: int) -> list[WatchedIssue]:
        """The newest, newest first."""
        parameters = {"series_key": series_key, "resolution": resolution, "as_of": as_of, "limit": limit}
        with self.connection.cursor(row_factory=class_row(WatchedIssue)) as cursor:
            return cursor.execute(statement("watched_issues"), parameters).fetchall()

    def accuracy(self, series_id: str, since: datetime, until: datetime) -> list[LeadAccuracy]:
        """By lead, of the issues with origins from `since` to `until` and a whole actual day."""
        parameters = {"series_id": series_id, "since": since, "until": until}
        with self.connection.cursor(row_factory=class_row(LeadAccuracy)) as cursor:
            return cursor.execute(statement("accuracy_by_lead"), parameters).fetchall()

    def quarantined(self, series_key: int, since: datetime, as_of: datetime) -> dict[str, tuple[int, datetime]]:
        """Rows of the days since that still wait in quarantine, by reason: how many, and when the first begins."""
        parameters = {"series_key": series_key, "since": since, "as_of": as_of}
        rows = self.connection.execute(statement("watched_quarantine"), parameters)
        return {str(reason): (int(str(count)), first) for reason, count, first in rows}  # type: ignore[misc]

    def gaps(self, series_key: int, since: datetime, as_of: datetime) -> tuple[int, datetime | None]:
        """Readings missing in holes of the days since, and where the first begins."""
        parameters = {"series_key": series_key, "since": since, "as_of": as_of}
        row = self.connection.execute(statement("watched_gaps"), parameters).fetchone()
        assert row is not None
        missing, first = row
        return int(str(missing)), first  # type: ignore[return-value]

    def refusals(self, series_key: int, since: datetime, as_of: datetime) -> list[str]:
        """Messages of the daily runs that were refused, since the last that was not."""
        parameters = {"series_key": series_key, "since": since, "as_of": as_of}
        return [str(row[0]) for row in self.connection.execute(statement("watched_refusals"), parameters)]
