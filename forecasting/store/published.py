"""Rows of what is published, as a page shows them. Energies in MWh over the local day, times in UTC."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Standing:
    """A demand series, how it stands, and the facts of its newest issue; those are None before the first."""

    series_id: str
    name: str
    time_zone: str
    unit: str
    simulated: bool
    newest_reading_end: datetime | None
    issue_id: int | None
    origin: datetime | None
    ready_at: datetime | None
    tier: str | None
    reason: str | None
    feed_at_fault: str | None
    last_target_end: datetime | None
    last_ingest_as_of: datetime | None
    last_ingest_refused: str | None
    open_gaps: int
    quarantined_7_days: int
    readings_as_of: datetime | None
    weather_issued_at: datetime | None
    model_name: str | None
    model_version: int | None
    family: str | None
    mlflow_run_id: str | None
    git_sha: str | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def version(self) -> tuple[object, ...]:
        """What changes whenever something new was stored of the series."""
        return self.series_id, self.issue_id, self.newest_reading_end, self.last_ingest_as_of


@dataclass(frozen=True, slots=True)
class Ahead:
    """One target day of the newest forecast; outer quantiles are None in forecasts of old."""

    lead: int
    target_start: datetime
    target_end: datetime
    mean: float
    q05: float | None
    q10: float
    q30: float | None
    q50: float
    q70: float | None
    q90: float
    q95: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A forecast of a day beside what happened; pinball losses in MWh, of rivals where they are known."""

    target_day: date
    lead: int
    tier: str
    family: str | None
    q10: float
    q50: float
    q90: float
    actual: float
    pinball: float
    naive_pinball: float | None
    predecessor_pinball: float | None


@dataclass(frozen=True, slots=True)
class LeadAccuracy:
    """How good forecasts of one lead were, beside weekly naive on the days where that is known."""

    lead: int
    n: int
    mae: float
    mape_percent: float | None
    naive_mae: float | None
    naive_mape_percent: float | None
    coverage_80: float
    skill: float | None


@dataclass(frozen=True, slots=True)
class PublishedAlert:
    """An episode that fires, is acknowledged or is over; without a series it is about all of them."""

    alert_id: int
    series_id: str | None
    rule: str
    severity: str
    state: str
    since: datetime
    fired_as_of: datetime | None
    resolved_as_of: datetime | None
    message: str
    cause: str | None
    remedy: str | None
    mlflow_run_id: str | None
    inhibited_by: str | None
    acknowledged_by: str | None
    note: str | None

    @property
    def is_open(self) -> bool:
        return self.state != "resolved"


@dataclass(frozen=True, slots=True)
class Reign:
    """A time for which a model version was champion."""

    model_name: str
    model_version: int
    family: str
    mlflow_run_id: str
    kind: str
    as_of: datetime
    until_as_of: datetime | None
    reason: str
    present: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A job of one series, or of all together, within a run; it works as long as it has no outcome."""

    run_id: UUID
    series_id: str | None
    job: str
    started_by: str
    as_of: datetime
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    outcome: str | None
    told: str | None


@dataclass(frozen=True, slots=True)
class Retrain:
    """The newest retrain of a series: losses of the version in charge after it, on the days held out."""

    series_id: str
    as_of: datetime
    model_version: int | None
    elected: bool
    newest_week_pinball: float
    newest_week_weekly_naive_pinball: float
    pinball: float
    skill_vs_weekly_naive: float | None
