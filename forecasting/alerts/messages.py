"""What people are told: what happened, since when, how bad, why perhaps, and what to do. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from forecasting.domain import Severity
from forecasting.episodes import Episode, Notice, State

NAMED = 3
"""So many series stand in a subject."""
LISTED = 10
"""So many alerts of one rule are told one by one."""
WORDS = {"firing": "PAGE", "escalated": "NOBODY ACKNOWLEDGED", "resolved": "RESOLVED"}
ALL_SERIES = "all series"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to each channel that takes it. `escalated` when an alert of it was sent once more."""

    kind: Literal["firing", "resolved", "escalated", "digest"]
    severity: Severity
    escalated: bool
    subject: str
    body: str
    picture: str | None
    alert_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """The zones of all series that are told of, and where people open MLflow."""

    zones: Mapping[str, ZoneInfo]
    mlflow_ui_url: str | None = None


def messages(notices: Iterable[Notice], as_of: datetime, context: Context) -> list[Message]:
    """The notices of one watch: pages by what happened and rule, the rest as one digest."""
    pages: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    rest: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    for notice in sorted(notices, key=_urgency):
        group = pages if notice.episode.finding.severity == "page" else rest
        group[notice.kind, notice.episode.finding.rule].append(notice)
    told = [_page(group, as_of, context) for group in pages.values()]
    return told + ([_digest(list(rest.values()), as_of, context)] if rest else [])


def _urgency(notice: Notice) -> tuple[str, float, str]:
    finding = notice.episode.finding
    return notice.kind, -(finding.score or 0.0), finding.series_id or ""


def _page(group: Sequence[Notice], as_of: datetime, context: Context) -> Message:
    kind, episodes = group[0].kind, [notice.episode for notice in group]
    pictures = [episode.finding.picture for episode in episodes if episode.finding.picture]
    return Message(
        kind=kind,
        severity="page",
        escalated=any(episode.escalated_as_of is not None for episode in episodes),
        subject=f"[fortnight] {WORDS[kind]} {headline(episodes)}",
        body="\n".join((*_section(group, context), "", f"As of {_utc(as_of)}.")),
        picture=pictures[0] if pictures else None,
        alert_ids=_numbers(episodes),
    )


def _digest(groups: Sequence[Sequence[Notice]], as_of: datetime, context: Context) -> Message:
    every = [notice for group in groups for notice in group]
    ended = sum(notice.kind == "resolved" for notice in every)
    counts = [f"{count} {word}" for count, word in ((len(every) - ended, "began"), (ended, "ended")) if count]
    sections = ["\n".join(_section(group, context)) for group in groups]
    only = headline([notice.episode for notice in every]) if len(groups) == 1 else f"alerts: {', '.join(counts)}"
    pictures = [notice.episode.finding.picture for notice in every if notice.episode.finding.picture]
    return Message(
        kind="digest",
        severity="digest",
        escalated=False,
        subject=f"[fortnight] DIGEST {'ended: ' if ended == len(every) else ''}{only}",
        body="\n\n".join((*sections, f"As of {_utc(as_of)}.")),
        picture=pictures[0] if pictures else None,
        alert_ids=_numbers([notice.episode for notice in every]),
    )


def headline(episodes: Sequence[Episode]) -> str:
    """Who, and what is the case: `vic: readings are stale`, or `500 series: readings are stale: a, b, c and 497 more`."""
    title = episodes[0].rule.title
    names = [episode.finding.series_id or ALL_SERIES for episode in episodes]
    if len(names) == 1:
        return f"{names[0]}: {title}"
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{len(names):,} series: {title}: {', '.join(names[:NAMED])}{more}"


def _section(group: Sequence[Notice], context: Context) -> list[str]:
    """All that one rule has to say of one kind."""
    if len(group) == 1:
        return details(group[0].episode, context)
    lines = [f"{headline([notice.episode for notice in group])}."]
    if group[0].kind != "resolved":
        lines.append(f"What to do: {group[0].episode.rule.remedy}.")
    for notice in group[:LISTED]:
        episode = notice.episode
        lines.append(f"- {episode.finding.series_id or ALL_SERIES} (alert {episode.alert_id}): {episode.finding.message}")
        lines.append(f"  {_when(episode, context)}")
        lines += [f"  {line}" for line in _evidence(episode, context)]
    if len(group) > LISTED:
        lines.append(f"... and {len(group) - LISTED:,} more: see 'fortnight alerts'.")
    if group[0].kind != "resolved":
        lines.append(f"Acknowledge with: fortnight ack --rule {group[0].episode.finding.rule} --note TEXT")
    return lines


def details(episode: Episode, context: Context) -> list[str]:
    """All there is to say of one alert, a line each."""
    finding = episode.finding
    lines = [f"{headline([episode])}.", f"What: {finding.message}", _when(episode, context)]
    if finding.cause and finding.cause not in finding.message:
        lines.append(f"Likely cause: {finding.cause}")
    if episode.is_open:
        lines.append(f"What to do: {finding.remedy or episode.rule.remedy}")
    lines += _evidence(episode, context)
    if finding.issue_id is not None:
        lines.append(f"Forecast issue: {finding.issue_id}")
    if episode.acknowledged_by:
        lines.append(f"Acknowledged by {episode.acknowledged_by}: {episode.note or 'without a note'}")
    elif episode.state is State.FIRING:
        lines.append(f"Acknowledge with: fortnight ack {episode.alert_id} --note TEXT")
    return lines


def _when(episode: Episode, context: Context) -> str:
    zone = context.zones.get(episode.finding.series_id or "")
    since = f"{_both(episode.finding.since, zone)}"
    if episode.resolved_as_of is None:
        return f"Since: {since}"
    lasted = duration(episode.resolved_as_of - episode.finding.since)
    return f"Lasted: {lasted}, from {since} to {_both(episode.resolved_as_of, zone)}"


def _evidence(episode: Episode, context: Context) -> list[str]:
    finding, lines = episode.finding, []
    if finding.mlflow_run_id:
        page = f"/#/runs/{finding.mlflow_run_id}"
        base = context.mlflow_ui_url
        where = f"{base.rstrip('/')}{page}" if base else f"start 'fortnight mlflow', then http://127.0.0.1:5000{page}"
        lines.append(f"MLflow run: {where}")
    if finding.picture:
        lines.append(f"Picture: {finding.picture}")
    return lines


def duration(length: timedelta) -> str:
    """A length of time for people: `45 minutes`, `5 hours`, `3 days 4 hours`."""
    minutes = max(0, round(length / timedelta(minutes=1)))
    hours, days = minutes // 60, minutes // 1440
    parts = ((days, "day"), (hours % 24, "hour")) if days else ((hours, "hour"), (minutes % 60, "minute"))
    told = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(told) or "less than a minute"


def _both(moment: datetime, zone: ZoneInfo | None) -> str:
    return _utc(moment) if zone is None else f"{moment.astimezone(zone):%F %H:%M %Z} ({_utc(moment)})"


def _utc(moment: datetime) -> str:
    return f"{moment:%F %H:%M}Z"


def _numbers(episodes: Iterable[Episode]) -> tuple[int, ...]:
    return tuple(episode.alert_id for episode in episodes if episode.alert_id is not None)
