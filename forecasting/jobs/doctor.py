"""Doctor: try everything that a daily run needs, and say what to do about what fails."""

import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from forecasting.errors import FortnightError, RegistryError, SourceError, StoreError
from forecasting.folders import private_home
from forecasting.jobs import Progress
from forecasting.jobs.clock import look_at_clocks
from forecasting.service import Feed, Service, choose_series, open_service
from forecasting.settings import Settings
from forecasting.sources.web import Web
from forecasting.store import schema

MIN_FREE_BYTES = 2**30
ASKED = timedelta(days=3)
"""How much of each feed is asked for: enough to see that it is alive and can be read."""
QUICK = {"tries": 1, "timeout_s": 10.0, "total_s": 60.0}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: what was found, or what is wrong and the remedy."""

    name: str
    passed: bool
    told: str
    seconds: float


def examine(settings: Settings, series_ids: Collection[str], now: datetime, progress: Progress) -> list[Check]:
    """Try state folder, database, MLflow, and each feed of the chosen series with one small question.

    Raises:
        SettingsError: the settings themselves are wrong.
    """
    chosen = choose_series(settings, series_ids=tuple(series_ids))
    checks = [_try("state folder", lambda: _disk(settings))]
    progress("examining", 1, len(chosen) + 3)
    try:
        with open_service(settings, now) as service:
            checks.append(_try("database", lambda: _database(service, settings)))
            progress("examining", 2, len(chosen) + 3)
            checks.append(_try("clocks", lambda: _clocks(service)))
            checks.append(_try("MLflow", lambda: _mlflow(service)))
            quick = Web(settings.web.model_copy(update=QUICK))
            for number, given in enumerate(chosen, start=3):
                progress("examining", number, len(chosen) + 3)
                try:
                    feeds = service.feeds(given, quick)
                except FortnightError as error:
                    checks.append(Check(f"{given.id}: {given.source}", passed=False, told=str(error), seconds=0.0))
                    continue
                checks += [
                    _try(f"{feed.primary.series_id}: {feed.primary.source}", partial(_feed, feed, now, settings.ingest.stale_hours))
                    for feed in feeds
                ]
    except StoreError as error:
        checks.append(Check("database", passed=False, told=str(error), seconds=0.0))
    return checks


def _try(name: str, look: Callable[[], str]) -> Check:
    started = time.perf_counter()
    try:
        told, passed = look(), True
    except FortnightError as error:
        told, passed = str(error), False
    return Check(name, passed, told, time.perf_counter() - started)


def _disk(settings: Settings) -> str:
    private_home(settings.home)
    free = shutil.disk_usage(settings.home).free
    told = f"{settings.home}, {free / 2**30:.1f} GiB free"
    if free < MIN_FREE_BYTES:
        raise StoreError(told, "make room, or set FORTNIGHT_HOME to a larger disk")
    return told


def _database(service: Service, settings: Settings) -> str:
    info = service.store.connection.info
    where = "embedded" if settings.database_url is None else f"{info.host}:{info.port}"
    return f"PostgreSQL {info.server_version // 10000}, {where}, schema {schema.current(service.store.connection)}"


def _clocks(service: Service) -> str:
    seen = look_at_clocks(service)
    if seen.complaints:
        told = "; ".join(seen.complaints)
        raise StoreError(told, f"set the clock right; until then runs are as of {seen.present:%F %H:%M}Z")
    return f"this machine and the database agree on {service.now:%F %H:%M}Z"


def _mlflow(service: Service) -> str:
    told, models = service.registry.describe_server()
    known = service.store.versions.model_names()
    if lost := sorted(set(known) - set(models)):
        raise RegistryError(
            f"{told}: it does not know {lost[0]}, of which Postgres has versions",
            "bring its folder or database back, or check FORTNIGHT_MLFLOW_TRACKING_URI; until then champions come from copies",
        )
    return told


def _feed(feed: Feed, now: datetime, stale_hours: float) -> str:
    newest, rows = None, 0
    for batch in feed.source.read(feed.primary, now - ASKED, now):
        if batch.quantity is feed.primary.quantity and len(batch.readings):
            starts = batch.readings["interval_start"]
            starts = starts[starts < now]
            rows += int((starts >= now - ASKED).sum())
            newest = max(filter(None, (newest, starts.max())), default=None)
    if newest is None:
        raise SourceError("it answers, but has no readings", "look at the feed, or at the options of the series")
    behind = now - newest - feed.primary.interval - feed.primary.publication_delay
    if behind > timedelta(hours=stale_hours):
        hours = behind / timedelta(hours=1)
        raise SourceError(f"it answers, but has nothing newer than {newest:%F %H:%M}Z, {hours:.0f} h overdue", "ask its owner")
    return f"{rows:,} readings of the last {ASKED.days} days, newest {newest:%F %H:%M}Z"
