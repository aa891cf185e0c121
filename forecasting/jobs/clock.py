"""A clock that is wrong by a day: noticed by other clocks, and kept from doing harm.

A run that believes too late a moment makes an issue that stands before those to come; one that believes too early a moment only
brings nothing new. So the present is the earlier of the machine's clock and that of the database, but not earlier than what was
ingested before.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from forecasting.service import Service
from forecasting.store.clocks import clocks

logger = logging.getLogger(__name__)
SLACK = timedelta(minutes=5)
"""Clocks that differ by less are taken for the same."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The machine's clock, the database's, and the as-of time of the newest ingest."""

    machine: datetime
    database: datetime
    last_run: datetime | None

    @property
    def present(self) -> datetime:
        """The moment that is believed."""
        if not self.complaints:
            return self.machine
        earlier = min(self.machine, self.database)
        later = max(self.machine, self.database)
        return earlier if self.last_run is None else max(earlier, min(self.last_run, later))

    @property
    def complaints(self) -> list[str]:
        """What does not agree, in words."""
        found = []
        if abs(off := self.machine - self.database) > SLACK:
            found.append(f"the clock of this machine is {_hours(off)} that of the database")
        if self.last_run is not None and self.last_run > min(self.machine, self.database) + SLACK:
            late = min(self.machine, self.database) - self.last_run
            found.append(f"the clock is {_hours(late)} the newest ingest, so it is wrong or was")
        return found


def look_at_clocks(service: Service) -> Clocks:
    """What the clocks say at the service's `now`."""
    return Clocks(service.now, *clocks(service.store.connection))


def by_the_right_clock(service: Service) -> Service:
    """The same service at a moment that can be believed; what does not agree is logged."""
    seen = look_at_clocks(service)
    for complaint in seen.complaints:
        logger.warning("%s: the run goes on as of %s", complaint, f"{seen.present:%F %H:%M}Z")
    return replace(service, now=seen.present) if seen.complaints else service


def _hours(off: timedelta) -> str:
    hours = abs(off) / timedelta(hours=1)
    told = f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"
    return f"{told} {'ahead of' if off > timedelta(0) else 'behind'}"
