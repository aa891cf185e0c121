"""One window of one feed: read, inspected, staged, and merged in one transaction."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd

from forecasting.domain import Quantity, Series
from forecasting.errors import SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.jobs import Progress
from forecasting.quality import Inspector
from forecasting.service import Feed, Service
from forecasting.store.ingests import Added, Window
from forecasting.usual import learn

logger = logging.getLogger(__name__)

NOTHING = Batch(Quantity.DEMAND, readings_frame(pd.DatetimeIndex([], tz="UTC"), np.empty(0)), rejected_frame())
LEARNT_FROM, LEARNT_READINGS = timedelta(days=366), 100_000
"""How much of the past tells what is usual: a year, or as many readings of a fine grid."""
CONTEXT = timedelta(days=2)
"""How much is looked at just before a window."""


@dataclass
class Desk:
    """Where the batches of one quantity are inspected and staged."""

    series: Series
    key: int
    inspector: Inspector
    states_known_at: bool
    read: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def stage(self, service: Service, batch: Batch) -> None:
        """Stage what was inspected; what the source gave beyond the window does not count as read."""
        self.read += batch.rows
        self.rejected += len(batch.rejected)
        self.reasons.update(batch.rejected["reason"])
        service.store.ingests.stage(self.key, batch)

    @property
    def complaint(self) -> str:
        worst = self.reasons.most_common(1)[0][0]
        return (
            f"{self.rejected:,} of {self.read:,} {self.series.quantity} rows of series {self.series.series_id} are bad, "
            f"mostly: {worst}"
        )


def pull(service: Service, feed: Feed, window: Window, progress: Progress) -> Mapping[Quantity, Added]:
    """Bring in one window. What fails is on record as refused, and nothing of it is stored.

    Raises:
        SourceError: the source cannot be read, or its primary quantity is mostly bad.
    """
    try:
        desks = _staged(service, feed, window, progress)
    except SourceError as error:
        service.store.ingests.refuse(feed.primary, service.store.readings.key(feed.primary), window, str(error))
        raise
    with service.store.transaction():
        return {
            desk.series.quantity: service.store.ingests.merge(
                desk.series, desk.key, window, desk.read, states_known_at=desk.states_known_at
            )
            for desk in desks
        }


def _staged(service: Service, feed: Feed, window: Window, progress: Progress) -> list[Desk]:
    """The desks whose batches may be used, each with its staged readings unique."""
    service.store.ingests.clear_stage()
    desks: dict[Quantity, Desk] = {}
    rows = 0
    for batch in feed.source.read(feed.primary, window.start, window.end):
        series = feed.series(batch.quantity)
        if series is None:
            continue
        if batch.quantity not in desks:
            desks[batch.quantity] = _open_desk(service, feed, series, window, batch)
        desk = desks[batch.quantity]
        rows += batch.rows
        desk.stage(service, desk.inspector.inspect(batch))
        progress("reading rows", rows, 0)
    if feed.primary.quantity not in desks:
        desks[feed.primary.quantity] = _open_desk(service, feed, feed.primary, window, NOTHING)
    for desk in desks.values():
        desk.stage(service, desk.inspector.finish())
        if not desk.inspector.ascending:
            desk.rejected += service.store.ingests.set_aside_doubles(desk.key)
    return [desk for desk in desks.values() if _is_mostly_good(desk, feed, service.settings.ingest.max_rejected_share)]


def _open_desk(service: Service, feed: Feed, series: Series, window: Window, first: Batch) -> Desk:
    readings = service.store.readings
    start, as_of = window.start, window.as_of
    learnt = min(LEARNT_FROM, LEARNT_READINGS * series.interval)
    usual = learn(readings.as_of(series, as_of, as_of - learnt), series, may_be_negative=feed.may_be_negative)
    before = readings.as_of(series, as_of, start - CONTEXT, start)
    until = min(as_of, window.end + series.publication_delay)
    inspector = Inspector(series, usual, before, start, until, service.now, may_be_negative=feed.may_be_negative, known_by=as_of)
    return Desk(series, readings.key(series), inspector, "known_at" in first.readings)


def _is_mostly_good(desk: Desk, feed: Feed, max_share: float) -> bool:
    """Whether a delivery may be used. A companion that may not does not keep the demand beside it out.

    Raises:
        SourceError: more than `max_share` of the primary quantity is bad.
    """
    if desk.rejected <= max_share * desk.read:
        return True
    if desk.series is feed.primary:
        raise SourceError(desk.complaint, "nothing of this window was stored; look at what the source delivers")
    logger.warning("%s; none of them was stored", desk.complaint)
    return False
