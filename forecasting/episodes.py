"""From findings to episodes: pending, firing, acknowledged, resolved. Pure; nothing is read or sent here.

An episode is one stretch in which one rule is bad in one scope: a series, or all of them together. What people were last told of it
(`told`) decides what they are told next, so that whatever held a message back, an inhibition or a silence, delays it and loses
nothing.

Invariants:
    at most one open episode a scope; a watch not newer than an episode's last changes nothing about it;
    one firing message an episode; one resolved message for each firing or escalated one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from forecasting.domain import Finding, Severity
from forecasting.rules import RULES, Rule, rule_of

Scope = tuple[str, str | None]
"""A rule, and a series or None for all of them together."""
Kind = Literal["firing", "escalated", "resolved"]


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Episode:
    """`finding` is the newest bad one, with the first `since` and the highest severity. Times are those of the data.

    `fired_as_of` is empty before it fires. It moves on when a silence had held the message back, or when the episode comes again:
    from it on, somebody has had the chance to acknowledge.
    """

    finding: Finding
    state: State
    pending_as_of: datetime
    judged_as_of: datetime
    last_bad_as_of: datetime
    fired_as_of: datetime | None = None
    escalated_as_of: datetime | None = None
    resolved_as_of: datetime | None = None
    times_bad: int = 1
    times_good: int = 0
    inhibited_by: str | None = None
    acknowledged_by: str | None = None
    note: str | None = None
    told: Kind | None = None
    alert_id: int | None = None

    @property
    def scope(self) -> Scope:
        return self.finding.rule, self.finding.series_id

    @property
    def rule(self) -> Rule:
        return rule_of(self.finding.rule)

    @property
    def is_open(self) -> bool:
        return self.state is not State.RESOLVED


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing is told of a rule, of a series, or of a rule in a series; None stands for any."""

    rule: str | None
    series_id: str | None

    def covers(self, episode: Episode) -> bool:
        rule, series_id = episode.scope
        return self.rule in (None, rule) and self.series_id in (None, series_id)


@dataclass(frozen=True, slots=True)
class Policy:
    """What comes again within `cool_down` of its end goes on as the same episode; a page is escalated after `escalate_after`."""

    cool_down: timedelta
    escalate_after: timedelta


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people of an episode."""

    kind: Kind
    episode: Episode


@dataclass(frozen=True, slots=True)
class Step:
    """What a watch changed: episodes as they are from now on, and what to tell of them."""

    changed: tuple[Episode, ...]
    notices: tuple[Notice, ...]


def step(
    newest: Mapping[Scope, Episode],
    findings: Iterable[Finding],
    as_of: datetime,
    policy: Policy,
    silences: Sequence[Silence] = (),
) -> Step:
    """What one watch does to the episodes. A scope without a finding is as one that cannot be judged.

    Args:
        newest: the newest episode of each scope, open or not.
        findings: one a scope at most.

    Raises:
        ValueError: a finding of an unknown rule, or two about one scope.
    """
    after = dict(newest)
    seen: set[Scope] = set()
    for finding in findings:
        scope = finding.rule, finding.series_id
        if finding.rule not in RULES:
            raise ValueError(f"a finding of unknown rule {finding.rule!r}: give it an entry in forecasting.rules.RULES")
        if scope in seen:
            raise ValueError(f"two findings of rule {finding.rule} about {finding.series_id or 'all series'} in one watch")
        seen.add(scope)
        episode = _judged(newest.get(scope), finding, as_of, policy.cool_down)
        if episode is not None:
            after[scope] = episode
    for scope, episode in after.items():
        if episode.is_open and episode.judged_as_of <= as_of:
            after[scope] = _fired(replace(episode, inhibited_by=_inhibitor(episode, after)), as_of)
    notices = tuple(_notices(after, as_of, policy, silences))
    after |= {notice.episode.scope: notice.episode for notice in notices}
    return Step(tuple(episode for scope, episode in after.items() if episode != newest.get(scope)), notices)


def _judged(episode: Episode | None, finding: Finding, as_of: datetime, cool_down: timedelta) -> Episode | None:
    """The scope's newest episode after one finding; None where there is none."""
    if finding.bad is None or (episode is not None and as_of <= episode.judged_as_of):
        return episode
    if finding.bad:
        return _bad(episode, finding, as_of, cool_down)
    return None if episode is None else _good(episode, as_of)


def _bad(episode: Episode | None, finding: Finding, as_of: datetime, cool_down: timedelta) -> Episode:
    """Begun, gone on, or come again."""
    if episode is None or (not episode.is_open and not _comes_again(episode, as_of, cool_down)):
        return Episode(finding, State.PENDING, as_of, as_of, as_of)
    if not episode.is_open:
        known = State.ACKNOWLEDGED if episode.acknowledged_by else State.FIRING
        episode = replace(episode, state=known, fired_as_of=as_of, resolved_as_of=None, escalated_as_of=None)
    worst: Severity = "page" if "page" in (finding.severity, episode.finding.severity) else finding.severity
    kept = replace(finding, since=min(finding.since, episode.finding.since), severity=worst)
    return replace(episode, finding=kept, judged_as_of=as_of, last_bad_as_of=as_of, times_bad=episode.times_bad + 1, times_good=0)


def _comes_again(episode: Episode, as_of: datetime, cool_down: timedelta) -> bool:
    """Whether something bad now is an ended episode over again."""
    ended = episode.resolved_as_of
    return ended is not None and episode.fired_as_of is not None and as_of - ended <= cool_down


def _good(episode: Episode, as_of: datetime) -> Episode:
    """One good watch nearer its end; what has not fired ends with the first."""
    if not episode.is_open:
        return episode
    episode = replace(episode, judged_as_of=as_of, times_good=episode.times_good + 1)
    if episode.state is State.PENDING or episode.times_good >= episode.rule.good_watches:
        return replace(episode, state=State.RESOLVED, resolved_as_of=as_of, inhibited_by=None)
    return episode


def _inhibitor(episode: Episode, others: Mapping[Scope, Episode]) -> str | None:
    """The first open rule that keeps an episode quiet."""
    rule, series_id = episode.scope
    for name in sorted(RULES):
        if rule in RULES[name].inhibits:
            near = others.get((name, series_id)), others.get((name, None))
            if any(other is not None and other.is_open for other in near):
                return name
    return None


def _fired(episode: Episode, as_of: datetime) -> Episode:
    """Firing, if it was bad in this watch and often enough, and nothing inhibits it."""
    due = episode.last_bad_as_of == as_of and episode.times_bad >= episode.rule.bad_watches
    if episode.state is State.PENDING and due and episode.inhibited_by is None:
        return replace(episode, state=State.FIRING, fired_as_of=as_of)
    return episode


def _notices(episodes: Mapping[Scope, Episode], as_of: datetime, policy: Policy, silences: Sequence[Silence]) -> Iterator[Notice]:
    for episode in episodes.values():
        if episode.judged_as_of > as_of:
            continue
        kind = _to_tell(episode, as_of, policy)
        silenced = any(silence.covers(episode) for silence in silences)
        if kind is None or (silenced and kind != "resolved"):
            continue
        told = replace(
            episode,
            told=kind,
            fired_as_of=as_of if kind == "firing" else episode.fired_as_of,
            escalated_as_of=as_of if kind == "escalated" else episode.escalated_as_of,
        )
        yield Notice(kind, told)


def _to_tell(episode: Episode, as_of: datetime, policy: Policy) -> Kind | None:
    """What people should hear now, given what they heard before."""
    if not episode.is_open:
        return "resolved" if episode.told in ("firing", "escalated") else None
    if episode.state is not State.FIRING or episode.inhibited_by is not None or episode.times_good > 0:
        return None
    if episode.told is None:
        return "firing"
    waited = as_of - episode.fired_as_of if episode.fired_as_of is not None else timedelta(0)
    late = episode.finding.severity == "page" and episode.escalated_as_of is None and waited >= policy.escalate_after
    return "escalated" if late else None
