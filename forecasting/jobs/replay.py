"""Replay: live through a stretch of the past, a daily run each morning, knowing no more than was known then."""

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock

from forecasting.domain import DAILY, Finding
from forecasting.errors import FortnightError
from forecasting.jobs import Progress, silent
from forecasting.jobs.daily import daily
from forecasting.jobs.watch import watch
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings

logger = logging.getLogger(__name__)


@dataclass
class ReplayReport:
    """How it went: seconds and tier by day, what failed, and every alert that began to fire."""

    seconds: dict[date, float] = field(default_factory=dict)
    tiers: Counter[str] = field(default_factory=Counter)
    failures: dict[date, str] = field(default_factory=dict)
    fired: list[tuple[date, Finding]] = field(default_factory=list)

    def __str__(self) -> str:
        tiers = ", ".join(f"{count} {tier}" for tier, count in self.tiers.most_common())
        pages = sum(finding.severity == "page" for _, finding in self.fired)
        return (
            f"{len(self.seconds)} days in {sum(self.seconds.values()):,.0f} s; forecasts: {tiers or 'none'}; "
            f"{len(self.failures)} runs failed in part; {pages} pages, {len(self.fired) - pages} lines for a digest"
        )


def replay(
    service: Service, given: SeriesSettings, first: date, last: date, at: clock, progress: Progress = silent
) -> ReplayReport:
    """Run every day from `first` to `last`, at a local time of day. Days that were run before change nothing."""
    report, series = ReplayReport(), demand_series(given)
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    key = None
    for done, day in enumerate(days):
        progress("replaying", done, len(days))
        began = time.perf_counter()
        as_of = datetime.combine(day, at, series.zone)
        try:
            with service.store.hold(given.id):
                daily(service, given, as_of)
        except FortnightError as error:
            report.failures[day] = str(error)
        found = watch(service, [(given, as_of)])
        report.fired += [(day, episode.finding) for episode in found.recorded.fired]
        report.seconds[day] = time.perf_counter() - began
        key = key or service.store.readings.key(series)
        issues = service.store.watched.issues(key, DAILY, as_of, 1)
        fresh = issues and issues[0].readings_as_of == as_of
        report.tiers[issues[0].tier if fresh else "none"] += 1
    progress("replaying", len(days), len(days))
    return report
