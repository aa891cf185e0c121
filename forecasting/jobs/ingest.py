"""Ingest: bring in what the source has that we do not know yet."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.domain import Quantity
from forecasting.errors import SourceError
from forecasting.frames import Batch, checked
from forecasting.jobs import Progress, silent
from forecasting.jobs.history import beginning
from forecasting.service import Service, demand_series, source_of
from forecasting.settings import SeriesSettings
from forecasting.store.readings import Added

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Rows by quantity."""

    series_id: str
    added: dict[Quantity, Added]

    def __str__(self) -> str:
        demand = self.added[Quantity.DEMAND]
        bad = sum(added.quarantined for added in self.added.values())
        return f"{demand.read:,} readings of demand: {demand.new:,} new, {demand.corrected:,} corrected" + (
            f"; {bad:,} rows newly quarantined" if bad else ""
        )


def ingest(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> IngestReport:
    """Read the source from a few days before the newest known reading, and add what is new or corrected.

    Everything is read and checked before the first row is written, and written in one transaction.

    Raises:
        SourceError: the source cannot be read, delivers nothing for a new series, or mostly bad rows.
    """
    series, source = demand_series(given), source_of(given)
    settings = service.settings.ingest
    readings = service.store.readings
    newest = readings.newest(series, as_of) if readings.series(series.series_id) else None
    since = beginning(series, as_of, settings.history_days)
    if newest is not None:
        since = max(since, newest - timedelta(days=settings.lookback_days))

    batches: list[Batch] = []
    for number, delivered in enumerate(source.read(series, since, as_of), start=1):
        batch = checked(delivered, series.companion(delivered.quantity), as_of)
        progress("reading", number, len(Quantity))
        if is_mostly_good(batch, series.series_id, settings.max_rejected_share):
            batches.append(batch)
    if newest is None and not any(len(batch.readings) for batch in batches if batch.quantity is Quantity.DEMAND):
        raise SourceError(
            f"source {given.source} has no demand of series {series.series_id} between {since:%F} and {as_of:%F %H:%M}Z",
            "choose an --as-of after its readings begin",
        )

    added = {}
    with service.store.transaction():
        readings.register(series)
        for batch in batches:
            added[batch.quantity] = readings.add(series.companion(batch.quantity), batch, as_of, since, given.source)
            progress("storing", len(added), len(batches))
    report = IngestReport(series.series_id, {Quantity.DEMAND: Added(0, 0, 0, 0), **added})
    logger.info("%s: %s", series.series_id, report)
    return report


def is_mostly_good(batch: Batch, series_id: str, max_share: float) -> bool:
    """Whether a batch may be used. A companion that may not does not keep the demand beside it out.

    Raises:
        SourceError: more than `max_share` of the demand is bad.
    """
    rejected = len(batch.rejected)
    if rejected <= max_share * batch.rows:
        return True
    reason = batch.rejected["reason"].value_counts().index[0]
    problem = f"{rejected:,} of {batch.rows:,} {batch.quantity} rows of series {series_id} are bad, mostly: {reason}"
    if batch.quantity is Quantity.DEMAND:
        raise SourceError(problem, "nothing of this batch was stored; look at what the source delivers")
    logger.warning("%s; none of them was stored", problem)
    return False
