"""Status: is what consumers read fresh, and what it rests on sound?"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.domain import Quantity
from forecasting.errors import SettingsError
from forecasting.service import Service
from forecasting.settings import IngestSettings
from forecasting.store.overview import SeriesState, series_states

WELL, LOOK, ALARM = 0, 1, 2
"""Levels, which are also the exit codes that monitors of the Nagios kind understand."""
CHAMPION = "champion"
RECENT = timedelta(days=7)
FORECAST_STEP = timedelta(days=1)
"""A forecast starts at the end of the last whole day, which may be a day ago on a good morning."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of one quantity of one series, and what is wrong with it, worst first; `level` is that of the worst."""

    state: SeriesState
    now: datetime
    level: int
    findings: tuple[str, ...]

    @property
    def lag(self) -> timedelta | None:
        """How long after its due time the next reading has not come."""
        state = self.state
        return None if state.newest_end is None else max(timedelta(0), self.now - state.newest_end - state.publication_delay)


def status(service: Service, series_ids: Collection[str]) -> list[Status]:
    """Judge all stored series, or those chosen, at the service's `now`.

    Raises:
        SettingsError: nothing is stored yet, or not of the series asked for.
    """
    asked_since = service.now - timedelta(days=service.settings.ingest.gap_days)
    states = series_states(service.store.connection, service.now - RECENT, asked_since)
    known = {state.demand_id for state in states}
    for series_id in series_ids:
        if series_id not in known:
            raise SettingsError(f"nothing is stored of series {series_id!r}", f"use one of {', '.join(sorted(known)) or 'none'}")
    if not states:
        raise SettingsError("nothing is stored yet", "run 'fortnight daily' first")
    chosen = [state for state in states if not series_ids or state.demand_id in series_ids]
    return [judge(state, service.settings.ingest, service.now) for state in chosen]


def judge(state: SeriesState, settings: IngestSettings, now: datetime) -> Status:
    """What is wrong at `now`, by the limits of the settings."""
    found: list[tuple[int, str]] = []
    stale_after = timedelta(hours=settings.stale_hours)
    is_demand = state.quantity == Quantity.DEMAND
    if state.newest_end is None:
        found.append((ALARM if is_demand else LOOK, "no readings"))
    elif state.quantity != Quantity.HOLIDAY and now - state.newest_end - state.publication_delay > stale_after:
        found.append((ALARM if is_demand else LOOK, "readings are stale"))
    if state.last_refusal:
        found.append((ALARM if is_demand else LOOK, f"last ingest failed: {state.last_refusal}"))
    if is_demand and state.forecast_origin is None:
        found.append((ALARM, "no forecast"))
    elif is_demand and state.forecast_origin is not None and now - state.forecast_origin > stale_after + FORECAST_STEP:
        found.append((ALARM, "forecast is stale"))
    if is_demand and state.forecast_tier not in (None, CHAMPION):
        found.append((LOOK, f"forecast of tier {state.forecast_tier}: {state.forecast_reason}"))
    elif is_demand and state.forecast_reason:
        found.append((LOOK, f"forecast in spite of faults ({state.feed_at_fault}): {state.forecast_reason}"))
    if state.open_alerts:
        found.append((LOOK, f"{state.open_alerts} open alerts"))
    if state.asked_gaps:
        found.append((LOOK, f"{state.asked_gaps:,} gaps of the last {settings.gap_days} days, which are asked for again"))
    if state.newly_quarantined:
        found.append((LOOK, f"{state.newly_quarantined:,} rows quarantined in the last {RECENT.days} days"))
    found.sort(key=lambda finding: -finding[0])
    return Status(state, now, max((level for level, _ in found), default=WELL), tuple(text for _, text in found))
