"""What is due: each series wants its daily run at local times of day, and the forecast of the last of them is what counts."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from forecasting.service import Service, choose_series
from forecasting.settings import SeriesSettings

PUBLISH = "publish"
"""The step that a day's run is for."""


def last_due(now: datetime, zone: ZoneInfo, at: Sequence[time]) -> datetime:
    """The newest moment, not after `now`, at which a local clock showed one of the times.

    A time that a clock change leaves out is due as late after midnight as on other days; one that comes twice, the first time.
    """
    today = now.astimezone(zone).date()
    moments = [datetime.combine(today - timedelta(days=ago), each, zone) for ago in (0, 1) for each in at]
    return max(moment for moment in moments if moment.timestamp() <= now.timestamp()).astimezone(now.tzinfo)


def scheduled(service: Service) -> list[SeriesSettings]:
    """The series that a daily run without arguments is about; not the simulated one beside readings of something else."""
    chosen = choose_series(service.settings)
    stored = service.store.readings.stored_ids()
    if service.settings.describes_series or not stored:
        return chosen
    return [given for given in chosen if given.id in stored]


def undone(service: Service, given: SeriesSettings) -> datetime | None:
    """Since when a series waits for the forecast of its last due time; None where it has one."""
    due = last_due(service.now, ZoneInfo(given.time_zone), service.settings.serve.at)
    return None if service.store.runs.done_since(given.id, PUBLISH, due) else due


def overdue(service: Service) -> list[SeriesSettings]:
    """The series whose run should have ended long ago."""
    grace = timedelta(minutes=service.settings.serve.grace_minutes)
    waiting = [(given, undone(service, given)) for given in scheduled(service)]
    return [given for given, due in waiting if due is not None and service.now - due > grace]


def to_watch(service: Service, chosen: Sequence[tuple[SeriesSettings, datetime]]) -> list[tuple[SeriesSettings, datetime]]:
    """What is watched after a daily run of some series: these, and once all others have had their run of the day too, all of them,
    each as of its own, so that all can be judged together."""
    stored = set(service.store.readings.stored_ids())
    known = [(given, as_of) for given, as_of in chosen if given.id in stored]
    ids = {given.id for given, _ in chosen}
    others = [given for given in scheduled(service) if given.id in stored and given.id not in ids]
    if any(undone(service, given) is not None for given in others):
        return known
    dated = [(given, service.store.runs.last_done(given.id, PUBLISH)) for given in others]
    return known + [(given, as_of) for given, as_of in dated if as_of is not None]
