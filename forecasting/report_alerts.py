"""Alerts, silences and waiting messages in the terminal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from forecasting.alerts.messages import ALL_SERIES, Context, details, duration
from forecasting.episodes import Episode, State
from forecasting.links import ui_url
from forecasting.settings import Settings
from forecasting.store.alerts import StoredSilence, quiet
from forecasting.store.outbox import Notification

QUIET, LOOK, ALARM = 0, 1, 2
"""Levels, which are also exit codes, as those of `fortnight status`."""
ROWS, TOLD = 40, 10
"""So many alerts stand in the table, and so many are told in a sentence, unless all are asked for."""
STYLES = {"PAGE": "bold red", "digest": "yellow"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is at a moment."""

    now: datetime
    episodes: Sequence[Episode]
    silences: Sequence[StoredSilence]
    unsent: Sequence[Notification]

    def is_silenced(self, episode: Episode) -> bool:
        return any(silence.covers(episode) for silence in quiet(self.silences))


def level(seen: Seen) -> int:
    """2 while a page fires that nobody acknowledged and nothing keeps quiet; 1 for what else is open, or could not be sent."""
    levels = [LOOK if notification.given_up_at else QUIET for notification in seen.unsent]
    for episode in seen.episodes:
        if episode.state is State.FIRING and episode.finding.severity == "page":
            levels.append(LOOK if episode.inhibited_by or seen.is_silenced(episode) else ALARM)
        elif episode.state in (State.FIRING, State.ACKNOWLEDGED):
            levels.append(LOOK)
    return max(levels, default=QUIET)


def show_alerts(console: Console, seen: Seen, every: bool) -> None:
    """A line an alert, the most urgent first; below it what they say, and what could not be sent."""
    if seen.episodes:
        console.print(_table(seen, seen.episodes if every else seen.episodes[:ROWS]))
    else:
        console.print("no alerts")
    if len(seen.episodes) > ROWS and not every:
        console.print(f"and {len(seen.episodes) - ROWS:,} more: fortnight alerts --all", highlight=False)
    firing = [episode for episode in seen.episodes if episode.state in (State.FIRING, State.ACKNOWLEDGED)]
    for episode in firing if every else firing[:TOLD]:
        by = f" (acknowledged by {episode.acknowledged_by}: {episode.note or 'no note'})" if episode.acknowledged_by else ""
        console.print(
            f"{episode.alert_id} {_series(episode)}: {escape(episode.finding.message + by)}", highlight=False, soft_wrap=True
        )
    if seen.silences:
        console.print(f"{len(seen.silences)} silences in force: fortnight silences", highlight=False)
    _show_unsent(console, seen.unsent)


def _show_unsent(console: Console, unsent: Sequence[Notification]) -> None:
    """What could not be sent, one by one; what was not tried yet, as a number."""
    for notification in unsent:
        if notification.last_error is not None:
            how = "GIVEN UP" if notification.given_up_at else "not taken"
            told = f"{how} after {notification.attempts} tries by {notification.channel}: {notification.subject}"
            style = "bold red" if notification.given_up_at else "yellow"
            console.print(escape(f"{told}: {notification.last_error}"), style=style, highlight=False, soft_wrap=True)
    if waiting := sum(notification.last_error is None for notification in unsent):
        console.print(f"{waiting:,} messages wait to be sent: fortnight notify", highlight=False)


def _table(seen: Seen, episodes: Sequence[Episode]) -> Table:
    table = Table(
        title=f"alerts at {seen.now:%F %H:%M}Z", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, title_justify="left"
    )
    table.add_column("id", justify="right", no_wrap=True)
    for heading in ("", "rule"):
        table.add_column(heading, no_wrap=True)
    table.add_column("series", overflow="fold")
    table.add_column("since", no_wrap=True)
    table.add_column("lasted", overflow="fold")
    for episode in episodes:
        state = _state(episode, seen)
        lasted = "" if episode.resolved_as_of is None else duration(episode.resolved_as_of - episode.finding.since)
        style = STYLES.get(state)
        table.add_row(
            str(episode.alert_id),
            f"[{style}]{state}[/]" if style else state,
            episode.finding.rule,
            _series(episode),
            f"{episode.finding.since:%F}",
            lasted,
        )
    return table


def _state(episode: Episode, seen: Seen) -> str:
    """One word for how an alert stands."""
    if episode.is_open and episode.inhibited_by:
        return "inhibited"
    if episode.state is not State.FIRING:
        return str(episode.state)
    if seen.is_silenced(episode):
        return "silenced"
    return "PAGE" if episode.finding.severity == "page" else "digest"


def _series(episode: Episode) -> str:
    return episode.finding.series_id or ALL_SERIES


def show_alert(console: Console, episode: Episode, zones: Mapping[str, ZoneInfo], settings: Settings) -> None:
    """All about one alert."""
    inhibited = f", kept quiet by {episode.inhibited_by}" if episode.inhibited_by else ""
    console.print(f"alert {episode.alert_id}: {episode.finding.rule}, {episode.state}{inhibited}", highlight=False)
    for line in details(episode, Context(zones, ui_url(settings))):
        console.print(escape(line), highlight=False, soft_wrap=True)


def alerts_json(seen: Seen) -> str:
    """The same for machines: times in ISO 8601."""
    rows = [{**_flat(episode), "silenced": seen.is_silenced(episode)} for episode in seen.episodes]
    unsent = [{name: value for name, value in asdict(each).items() if name not in ("body", "picture")} for each in seen.unsent]
    told = {"at": seen.now, "level": level(seen), "alerts": rows, "unsent": unsent}
    return json.dumps(told, default=_plain, indent=2)


def _flat(episode: Episode) -> dict[str, object]:
    row = asdict(episode)
    finding = {name: value for name, value in row.pop("finding").items() if name != "bad"}
    return {"alert_id": row["alert_id"], **finding, **row}


def show_silences(console: Console, found: Sequence[StoredSilence]) -> None:
    """A line a silence."""
    if not found:
        console.print("no silences")
    for each in found:
        about = " of ".join((each.rule or "any rule", each.series_id or "any series"))
        told = f"{each.silence_id} {about}, until {each.ends_at:%F %H:%M}Z, by {each.made_by}: {each.reason}"
        console.print(escape(told), highlight=False, soft_wrap=True)


def silences_json(found: Sequence[StoredSilence]) -> str:
    """The same for machines."""
    return json.dumps([asdict(each) for each in found], default=_plain, indent=2)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
