"""Replay: live through a stretch of the past, a daily run each morning, knowing no more than was known then."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import psutil

from forecasting.domain import DAILY, Finding
from forecasting.errors import FortnightError
from forecasting.jobs import Progress, silent
from forecasting.jobs.daily import daily
from forecasting.jobs.watch import watch
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.overview import database_bytes

logger = logging.getLogger(__name__)
RunDay = Callable[[Service, SeriesSettings, datetime], str | None]
"""Does what a morning does; returns what failed, if anything did."""
WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class ReplayDay:
    """What a day's run cost, and what there was after it.

    Args:
        cpu_s: processor time of this process and those that it started, Postgres apart.
        memory_mb: resident memory of the same.
        mlflow_mb: measured once a week.
    """

    day: date
    tier: str
    seconds: float
    cpu_s: float
    memory_mb: float
    database_mb: float
    mlflow_mb: float | None


@dataclass
class ReplayReport:
    """How it went: each day, what failed, and every alert that began to fire."""

    days: list[ReplayDay] = field(default_factory=list)
    failures: dict[date, str] = field(default_factory=dict)
    fired: list[tuple[date, Finding]] = field(default_factory=list)

    @property
    def tiers(self) -> Counter[str]:
        return Counter(day.tier for day in self.days)

    def __str__(self) -> str:
        tiers = ", ".join(f"{count} {tier}" for tier, count in self.tiers.most_common())
        pages = sum(finding.severity == "page" for _, finding in self.fired)
        return (
            f"{len(self.days)} days in {sum(day.seconds for day in self.days):,.0f} s; forecasts: {tiers or 'none'}; "
            f"{len(self.failures)} runs failed in part; {pages} pages, {len(self.fired) - pages} lines for a digest"
        )


def by_hand(service: Service, given: SeriesSettings, as_of: datetime) -> str | None:
    """The jobs one after the other, in this process."""
    failure = None
    try:
        with service.store.hold(given.id):
            daily(service, given, as_of)
    except FortnightError as error:
        failure = str(error)
    watch(service, [(given, as_of)])
    return failure


def replay(
    service: Service,
    given: SeriesSettings,
    first: date,
    last: date,
    at: clock,
    progress: Progress = silent,
    run_day: RunDay = by_hand,
) -> ReplayReport:
    """Run every day from `first` to `last`, at a local time of day. Days that were run before change nothing."""
    report, series = ReplayReport(), demand_series(given)
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    for done, day in enumerate(days):
        progress("replaying", done, len(days))
        as_of = datetime.combine(day, at, series.zone)
        began, cpu = time.perf_counter(), _cpu_s()
        failure = run_day(service, given, as_of)
        seconds, cpu = time.perf_counter() - began, _cpu_s() - cpu
        if failure is not None:
            report.failures[day] = failure
        report.fired += [(day, episode.finding) for episode in service.store.alerts.fired_at(as_of)]
        issues = service.store.watched.issues(service.store.readings.key(series), DAILY, as_of, 1)
        tier = issues[0].tier if issues and issues[0].readings_as_of == as_of else "none"
        mlflow = _folder_mb(service.settings.home / "mlflow") if done % WEEK_DAYS == 0 or day == last else None
        size = database_bytes(service.store.connection) / 1e6
        report.days.append(ReplayDay(day, tier, seconds, cpu, _memory_mb(), size, mlflow))
    progress("replaying", len(days), len(days))
    return report


def _processes() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _cpu_s() -> float:
    total = 0.0
    for process in _processes():
        try:
            total += sum(process.cpu_times()[:2])
        except psutil.Error:
            continue
    return total + sum(psutil.Process().cpu_times()[2:4])


def _memory_mb() -> float:
    total = 0
    for process in _processes():
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total / 1e6


def _folder_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
