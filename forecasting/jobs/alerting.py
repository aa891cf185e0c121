"""From the findings of a watch to episodes, and to messages that wait to be sent: all in one transaction, or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from forecasting.alerts.messages import Context, Message, messages
from forecasting.domain import Finding
from forecasting.episodes import Episode, Policy, State, step
from forecasting.links import ui_url
from forecasting.service import Service
from forecasting.settings import AlertSettings
from forecasting.store.alerts import quiet
from forecasting.store.outbox import NewNotification

LOG = "log"
"""The channel that is always there and takes everything."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Episodes that began to fire in this watch, came again or not, and those that ended; how many messages wait because of it."""

    fired: tuple[Episode, ...]
    resolved: tuple[Episode, ...]
    messages: int

    def __str__(self) -> str:
        parts = ((self.fired, "alert opened"), (self.resolved, "alert resolved"))
        return "; ".join(f"{word}: {', '.join(_name(each) for each in episodes)}" for episodes, word in parts if episodes)


def record(service: Service, findings: Iterable[Finding], as_of: datetime) -> Recorded:
    """Apply what a watch at `as_of` found. The same watch again changes nothing; nor does one older than what is known.

    Args:
        findings: one a rule and series at most; scopes without one are left as they are.

    Raises:
        StoreError: a finding is about a series that is not registered.
        ValueError: a finding of an unknown rule, or two about one scope.
    """
    store, findings = service.store, list(findings)
    with store.transaction():
        store.alerts.lock()
        newest = store.alerts.newest()
        zones = store.alerts.zones(finding.series_id for finding in findings if finding.series_id is not None)
        found = step(newest, findings, as_of, policy(service.settings.alerts), quiet(store.alerts.silences(service.now)))
        ids = store.alerts.write(found.changed)
        changed = [replace(episode, alert_id=ids[episode.scope]) for episode in found.changed]
        notices = [replace(each, episode=replace(each.episode, alert_id=ids[each.episode.scope])) for each in found.notices]
        others = {each.episode.finding.series_id for each in notices} - {None, *zones}
        zones |= store.alerts.zones(series_id for series_id in others if series_id is not None)
        waiting = messages(notices, as_of, Context(zones, ui_url(service.settings)))
        store.outbox.put(_addressed(waiting, service.settings.alerts, as_of, service.now))
    fired = tuple(each for each in changed if each.fired_as_of == as_of and each.is_open and each.judged_as_of == as_of)
    before = {scope for scope, episode in newest.items() if episode.state is not State.RESOLVED}
    resolved = tuple(each for each in changed if not each.is_open and each.fired_as_of is not None and each.scope in before)
    return Recorded(fired, resolved, len(waiting))


def policy(settings: AlertSettings) -> Policy:
    """What the settings say of episodes."""
    return Policy(timedelta(days=settings.cool_down_days), timedelta(hours=settings.escalate_after_hours))


def channels_of(message: Message, settings: AlertSettings) -> list[str]:
    """Who gets a message: the log, and who takes its severity; of what was sent once more, those that take escalations."""
    taken = [LOG]
    for name, channel in settings.open_channels.items():
        severe = message.kind != "escalated" and message.severity in channel.takes
        if severe or (message.escalated and channel.escalations):
            taken.append(name)
    return taken


def _addressed(waiting: Sequence[Message], settings: AlertSettings, as_of: datetime, now: datetime) -> list[NewNotification]:
    return [
        NewNotification(channel, each.kind, each.subject, each.body, each.picture, each.alert_ids, as_of, now)
        for each in waiting
        for channel in channels_of(each, settings)
    ]


def _name(episode: Episode) -> str:
    rule, series_id = episode.scope
    return f"{rule} ({series_id or 'all series'})"
