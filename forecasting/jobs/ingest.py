"""Ingest: bring in what the feeds of a series have that we do not know yet, oldest first."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.domain import Quantity, Series
from forecasting.errors import SourceError
from forecasting.jobs import Progress, silent
from forecasting.jobs.history import beginning
from forecasting.jobs.pull import pull
from forecasting.service import Feed, Service
from forecasting.settings import SeriesSettings
from forecasting.store.ingests import Added, CorrectionUse, Gap, Window

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Rows by quantity, and who had used the demand that was corrected."""

    series_id: str
    added: Mapping[Quantity, Added]
    use: CorrectionUse | None = None

    def __str__(self) -> str:
        demand = self.added.get(Quantity.DEMAND, Added())
        told = f"{demand.read:,} readings of demand: {demand.new:,} new, {demand.corrected:,} corrected"
        if self.use is not None and (self.use.models or self.use.forecasts):
            newest = f", last {self.use.models[-1]}" if self.use.models else ""
            told += f" (the old values were used by {len(self.use.models)} models{newest} and {self.use.forecasts} forecasts)"
        others = [f"{added.new:,} new of {quantity}" for quantity, added in self.added.items() if quantity is not Quantity.DEMAND]
        bad = sum(added.quarantined for added in self.added.values())
        return "; ".join([told, *others, *([f"{bad:,} rows newly quarantined"] if bad else [])])


def ingest(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> IngestReport:
    """Catch up with each feed of a series: from a few days before its newest known reading, and once more where readings are
    missing. A long stretch is taken in windows, each stored before the next is asked for: a killed run goes on where it was.

    Raises:
        SourceError: a feed cannot be read, delivers nothing for a new series, or mostly bad rows; the other feed had its turn.
    """
    feeds = service.feeds(given)
    service.store.readings.register(*(series for feed in feeds for series in (feed.primary, *feed.companions)))
    totals: dict[Quantity, Added] = {}
    failure: SourceError | None = None
    for feed in feeds:
        try:
            catch_up(service, feed, as_of, totals, progress)
        except SourceError as error:
            if failure is not None:
                logger.warning("%s", error)
            failure = failure or error
    demand = feeds[0].primary
    corrected = totals.get(Quantity.DEMAND, Added()).corrected
    use = service.store.ingests.correction_use(demand.series_id, as_of) if corrected else None
    report = IngestReport(demand.series_id, totals, use)
    if failure is not None:
        if totals:
            logger.info("%s: %s", demand.series_id, report)
        raise failure
    logger.info("%s: %s", demand.series_id, report)
    return report


def catch_up(service: Service, feed: Feed, as_of: datetime, totals: dict[Quantity, Added], progress: Progress) -> None:
    """Pull every window that is due from one feed, adding to `totals`."""
    windows = plan(service, feed, as_of)
    for number, window in enumerate(windows):
        progress(f"{feed.primary.quantity} windows", number, len(windows))
        for quantity, added in pull(service, feed, window, progress).items():
            totals[quantity] = totals.get(quantity, Added()) + added
    progress(f"{feed.primary.quantity} windows", len(windows), len(windows))
    if service.store.readings.newest(feed.primary, as_of) is None:
        raise SourceError(
            f"source {feed.primary.source} has no {feed.primary.quantity} of series {feed.primary.series_id} between "
            f"{windows[0].start:%F} and {as_of:%F %H:%M}Z",
            "choose an --as-of after its readings begin",
        )


def plan(service: Service, feed: Feed, as_of: datetime) -> list[Window]:
    """What to ask a feed for, oldest first: open gaps, then from the look-back to `as_of`."""
    settings, primary = service.settings.ingest, feed.primary
    newest = service.store.readings.newest(primary, as_of)
    since = beginning(primary, as_of, settings.history_days)
    if newest is not None:
        since = max(since, newest - timedelta(days=settings.lookback_days))
    key = service.store.readings.key(primary)
    gaps = service.store.ingests.open_gaps(key, as_of - timedelta(days=settings.gap_days), since)
    if feed.source.window is None:  # one pass reads everything anyway
        return [Window(min([since, *(gap.start for gap in gaps)]), as_of, as_of)]
    return [*gap_windows(gaps, primary, since, as_of, feed.source.window), *split(Window(since, as_of, as_of), feed.source.window)]


def gap_windows(gaps: list[Gap], series: Series, until: datetime, as_of: datetime, longest: timedelta) -> list[Window]:
    """Windows that cover gaps, each with the readings beside it; near ones together, as long as a window may be."""
    windows: list[Window] = []
    for gap in gaps:
        start, end = gap.start - series.interval, min(until, gap.end + series.interval)
        if windows and end - windows[-1].start <= longest:
            windows[-1] = Window(windows[-1].start, end, as_of, "gap")
        else:
            windows += split(Window(start, end, as_of, "gap"), longest)
    return windows


def split(window: Window, longest: timedelta) -> list[Window]:
    """A window in parts, oldest first."""
    parts, start = [], window.start
    while start < window.end:
        end = min(window.end, start + longest)
        parts.append(Window(start, end, window.as_of, window.kind))
        start = end
    return parts
