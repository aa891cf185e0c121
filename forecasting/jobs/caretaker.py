"""The caretaker: looks after the service from outside of its runs, and depends on nothing but Postgres."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests

from forecasting.jobs.deliver import deliver_or_leave
from forecasting.jobs.due import overdue
from forecasting.service import Service
from forecasting.settings import Settings

logger = logging.getLogger(__name__)
PING_TIMEOUT_S = 10
RETRY = timedelta(minutes=30)
"""A run that the caretaker began is not begun again sooner."""


@dataclass
class Caretaker:
    """What it does each minute, and what it remembers of the minutes before.

    Args:
        start: begins one daily run of some series in a process of its own.
    """

    start: Callable[[Sequence[str]], None]
    started_at: dict[str, datetime] = field(default_factory=dict)
    pinged_at: datetime | None = None

    def look_after(self, service: Service) -> None:
        """End runs that died, begin those that are overdue, send what waits to be sent, and tell the outside that all is well.

        A series is begun here only when Prefect has not: whichever comes first does the work, the other finds it done.
        """
        for dead in service.store.runs.bury():
            logger.warning("run %s of %s (pid %s on %s) died", dead.run_id, f"{dead.started_at:%F %H:%M}Z", dead.pid, dead.host)
        late = overdue(service)
        if begin := [given.id for given in late if self._may_begin(given.id, service.now)]:
            logger.warning("%s: the daily run is overdue and is begun here", ", ".join(begin))
            self.started_at |= dict.fromkeys(begin, service.now)
            self.start(begin)
        deliver_or_leave(service, service.now)
        if not late and self._wants_ping(service):
            self.pinged_at = service.now
            ping(service.settings)

    def _may_begin(self, series_id: str, now: datetime) -> bool:
        before = self.started_at.get(series_id)
        return before is None or now - before > RETRY

    def _wants_ping(self, service: Service) -> bool:
        every = timedelta(minutes=service.settings.serve.heartbeat_minutes)
        return self.pinged_at is None or service.now - self.pinged_at >= every


def ping(settings: Settings) -> bool:
    """Ask the heartbeat's URL, which is a secret; whether it took it. Whoever watches it notices when that stops."""
    url = settings.serve.heartbeat_url
    if url is None:
        return False
    try:
        answer = requests.get(url.get_secret_value(), timeout=PING_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        logger.warning("the heartbeat was not taken: %s", type(error).__name__)
        return False
    if not answer.ok:
        logger.warning("the heartbeat was not taken: status %s", answer.status_code)
    return answer.ok
