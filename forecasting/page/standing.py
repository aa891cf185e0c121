"""How a series stands at a moment, in a word and in sentences: as `published.status` judges, by the limits of the settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum

from forecasting.alerts.messages import duration
from forecasting.jobs.due import last_due
from forecasting.settings import ServeSettings, Settings
from forecasting.store.published import PublishedAlert, Standing

CHAMPION = "champion"
DAY = timedelta(days=1)
LEADS = 14


class Level(IntEnum):
    """The words of `published.status`, with what a page says."""

    WELL = 0
    LOOK = 1
    ALARM = 2

    @property
    def words(self) -> str:
        return ("Well", "Needs a look", "Alarm")[self]

    @property
    def mark(self) -> str:
        """A shape, so that colour is not all that tells them apart."""
        return ("●", "▲", "■")[self]


@dataclass(frozen=True)
class Judged:
    """A series at a moment, and what is wrong with it, worst first; `level` is that of the worst.

    unfit: why its forecast does not serve now, for those who only ask that; None where it does.
    """

    standing: Standing
    alerts: Sequence[PublishedAlert]
    level: Level
    findings: Sequence[str]
    unfit: str | None

    @property
    def open_alerts(self) -> list[PublishedAlert]:
        return [alert for alert in self.alerts if alert.is_open]


def judge(standing: Standing, alerts: Sequence[PublishedAlert], now: datetime, settings: Settings) -> Judged:
    """
    Args:
        alerts: of every series; those of this one and of all together count.
    """
    own = [alert for alert in alerts if alert.series_id in (None, standing.series_id)]
    fires = [alert for alert in own if alert.is_open]
    found = [*_readings(standing, now, settings), *_forecast(standing, now, settings)]
    pages = sum(alert.severity == "page" for alert in fires)
    if fires:
        many = "alert is" if len(fires) == 1 else "alerts are"
        found.append((Level.ALARM if pages else Level.LOOK, f"{len(fires)} {many} open"))
    found.sort(key=lambda finding: -finding[0])
    level = max((level for level, _ in found), default=Level.WELL)
    return Judged(standing, own, level, [told for _, told in found], unfit(standing, now, settings.serve))


def _readings(standing: Standing, now: datetime, settings: Settings) -> list[tuple[Level, str]]:
    delays = {given.id: timedelta(minutes=given.publication_delay_minutes) for given in settings.known_series}
    delay, end = delays.get(standing.series_id, timedelta(0)), standing.newest_reading_end
    found = []
    if end is None:
        found.append((Level.ALARM, "there are no readings yet"))
    elif now - end - delay > timedelta(hours=settings.ingest.stale_hours):
        found.append((Level.ALARM, f"readings are stale: the newest ends {duration(now - end)} ago"))
    if standing.last_ingest_refused:
        found.append((Level.ALARM, f"the last delivery of readings was refused: {standing.last_ingest_refused}"))
    if standing.open_gaps:
        found.append((Level.LOOK, f"{_count(standing.open_gaps, 'gap')} between readings of the last 60 days"))
    if standing.quarantined_7_days:
        found.append((Level.LOOK, f"{_count(standing.quarantined_7_days, 'row')} put into quarantine in the last 7 days"))
    return found


def _forecast(standing: Standing, now: datetime, settings: Settings) -> list[tuple[Level, str]]:
    found = []
    if standing.origin is None:
        found.append((Level.ALARM, "there is no forecast yet"))
    elif now - standing.origin > timedelta(hours=settings.ingest.stale_hours) + DAY:
        found.append((Level.ALARM, f"the forecast is stale: it knows nothing of the last {duration(now - standing.origin)}"))
    if standing.tier not in (None, CHAMPION):
        found.append((Level.LOOK, f"the forecast is a fallback, {tier_words(standing.tier)}: {standing.reason}"))
    elif standing.feed_at_fault is not None:
        found.append((Level.LOOK, f"the forecast was made in spite of a fault ({standing.feed_at_fault}): {standing.reason}"))
    return found


def unfit(standing: Standing, now: datetime, serve: ServeSettings) -> str | None:
    """Why consumers have no fresh forecast of the next fourteen days; None where they have, of whichever tier.

    When it was due for so long that the caretaker, too, has had its time, the forecast must reach fourteen local days from that
    day's midnight on; until then, from the midnight before.
    """
    if standing.last_target_end is None:
        return "there is no forecast"
    due = last_due(now - 2 * timedelta(minutes=serve.grace_minutes), standing.zone, serve.at)
    day = due.astimezone(standing.zone).date()
    needed = datetime.combine(day + LEADS * DAY, time(), standing.zone).astimezone(UTC)
    if standing.last_target_end >= needed:
        return None
    return f"the forecast ends {standing.last_target_end:%F %H:%M}Z, and should reach {needed:%F %H:%M}Z"


def tier_words(tier: str | None) -> str:
    return {"champion": "the champion", "last_good": "a champion of before", "weekly_naive": "weekly naive"}.get(
        tier or "", f"{tier}"
    )


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
