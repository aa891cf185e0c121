"""Backfill: bring in the readings of a stretch of the past, beside the daily runs."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.domain import Quantity, parse_moment
from forecasting.errors import SettingsError
from forecasting.jobs import Progress, silent
from forecasting.jobs.ingest import split
from forecasting.jobs.pull import pull
from forecasting.service import Feed, Service
from forecasting.settings import SeriesSettings
from forecasting.store.ingests import Added, Window

logger = logging.getLogger(__name__)

LONGEST = timedelta(days=366)
"""The longest window where the feed sets none: what is done when a backfill is killed is not done again."""


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """Rows by quantity of this run, and from where it went on if an earlier one had been interrupted."""

    added: dict[Quantity, Added]
    resumed_at: datetime | None

    def __str__(self) -> str:
        told = [f"{added.read:,} of {name}: {added.new:,} new, {added.corrected:,} corrected" for name, added in self.added.items()]
        resumed = f" (went on from {self.resumed_at:%F %H:%M}Z)" if self.resumed_at else ""
        return f"{'; '.join(told) or 'nothing found'}{resumed}"


def backfill(
    service: Service, given: SeriesSettings, first: str, last: str, as_of: datetime, progress: Progress = silent
) -> BackfillReport:
    """Ask each feed for all intervals between two moments, window by window; each is stored before the next is asked for.

    Needs no hold on the series: the merge of one window waits for that of another, and takes a second or two.

    Args:
        first, last: as `parse_moment` reads them; `last` is exclusive.

    Raises:
        SettingsError: moments that cannot be read, are in the wrong order, or lie in the future.
        SourceError: as `pull`; what was done before it stays.
    """
    feeds = service.feeds(given)
    zone = feeds[0].primary.zone
    start, end = parse_moment(first, zone, "--from"), parse_moment(last, zone, "--to")
    if not start < end:
        raise SettingsError(f"--from {first} is not before --to {last}", "give the earlier one first")
    if start >= as_of:
        raise SettingsError(f"--from {first} lies in the future", "give a moment that has passed")
    end = min(end, as_of)
    service.store.readings.register(*(series for feed in feeds for series in (feed.primary, *feed.companions)))
    totals: dict[Quantity, Added] = {}
    resumed = [_one_feed(service, feed, start, end, as_of, totals, progress) for feed in feeds]
    report = BackfillReport(totals, next((moment for moment in resumed if moment), None))
    logger.info("%s: %s", given.id, report)
    return report


def _one_feed(
    service: Service,
    feed: Feed,
    start: datetime,
    end: datetime,
    as_of: datetime,
    totals: dict[Quantity, Added],
    progress: Progress,
) -> datetime | None:
    """Where an interrupted backfill of the same stretch went on, if there was one."""
    backfills, primary = service.store.backfills, feed.primary
    done_until = backfills.done_until(primary.series_id, start, end)
    windows = split(Window(done_until or start, end, as_of, "backfill"), feed.source.window or LONGEST)
    for number, window in enumerate(windows):
        progress(f"backfill of {primary.quantity}", number, len(windows))
        for quantity, added in pull(service, feed, window, progress).items():
            totals[quantity] = totals.get(quantity, Added()) + added
        backfills.note(primary.series_id, start, end, window.end)
    progress(f"backfill of {primary.quantity}", len(windows), len(windows))
    backfills.forget(primary.series_id, start, end)
    return done_until
