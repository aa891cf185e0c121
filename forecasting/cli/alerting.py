"""Alerts: what is wrong, who has taken charge, what is to be quiet, and whether messages arrive."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from forecasting.cli.looking import JsonOption
from forecasting.cli.running import log_to_terminal, out
from forecasting.domain import parse_moment
from forecasting.errors import SettingsError, printable
from forecasting.plain import require_plain
from forecasting.rules import RULES
from forecasting.settings import load_settings

RECENT = timedelta(days=7)
EVER = datetime(1, 1, 1, tzinfo=UTC)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
RuleOption = Annotated[str | None, typer.Option("--rule", help="Alerts of this rule.", show_default=False)]


def alerts(
    alert_id: Annotated[int | None, typer.Argument(metavar="ID", help="All about this one.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="However many, and all that ever ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is wrong, and what ended in the last week. Exit code 0: nothing, 1: digests or acknowledged, 2: a page is firing."""
    from forecasting import report_alerts as told
    from forecasting.service import open_service

    settings, now = load_settings(), datetime.now(UTC)
    since = EVER if every else now - RECENT
    with open_service(settings, now) as service:
        stored = service.store.alerts
        found = stored.listed(since) if alert_id is None else [stored.get(alert_id)]
        seen = told.Seen(now, found, stored.silences(now), service.store.outbox.unsent(since) if alert_id is None else [])
        zones = stored.zones(each.finding.series_id for each in found if each.finding.series_id is not None)
    if as_json:
        sys.stdout.write(told.alerts_json(seen) + "\n")
    elif alert_id is not None:
        told.show_alert(out, found[0], zones, settings)
    else:
        told.show_alerts(out, seen, every)
    sys.exit(told.level(seen))


def ack(
    alert_ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID...", help="See fortnight alerts.", show_default=False)
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="What you do about it.", show_default=False)] = None,
    rule: RuleOption = None,
) -> None:
    """Take charge of alerts: they are not escalated, and show your name. They end by themselves when the cause is gone."""
    from forecasting.episodes import State
    from forecasting.service import open_service

    if (rule is None) == (not alert_ids):
        raise SettingsError("ack is about some alerts", "name them by number, or all that fire of one rule with --rule")
    _known_rule(rule)
    note = None if note is None else require_plain(note, "the note")
    by, now = _who(), datetime.now(UTC)
    with open_service(load_settings(), now) as service:
        ids = alert_ids or [
            each.alert_id
            for each in service.store.alerts.listed(now)
            if each.finding.rule == rule and each.state is State.FIRING and each.alert_id is not None
        ]
        for alert_id in ids:
            service.store.alerts.acknowledge(alert_id, by, note)
    out.print(f"{len(ids)} acknowledged by {by}", markup=False, highlight=False)


def silence(
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who wonder.")],
    rule: RuleOption = None,
    series: Annotated[str | None, typer.Option("--series", help="Alerts of this series.", show_default=False)] = None,
    length: Annotated[str | None, typer.Option("--for", help="So long: 30m, 12h, 2d or 1w.", show_default=False)] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Until this date, or time with an offset.", show_default=False)
    ] = None,
) -> None:
    """Tell nothing of a rule, of a series, or of a rule in a series for a while. What is still bad then is told then."""
    from forecasting.service import open_service

    if rule is None and series is None:
        raise SettingsError("a silence is about a rule or a series", "name one with --rule or --series")
    _known_rule(rule)
    reason = require_plain(reason, "the reason")
    now = datetime.now(UTC)
    with open_service(load_settings(), now) as service:
        zone = ZoneInfo("UTC") if series is None else service.store.alerts.zones([series])[series]
        end = _end(length, until, zone, now)
        number = service.store.alerts.silence(rule, series, now, end, reason, _who())
    out.print(f"silence {number} until {end:%F %H:%M}Z; end it with: fortnight unsilence {number}", highlight=False)


def silences(as_json: JsonOption = False) -> None:
    """The silences in force."""
    from forecasting import report_alerts as told
    from forecasting.service import open_service

    now = datetime.now(UTC)
    with open_service(load_settings(), now) as service:
        found = service.store.alerts.silences(now)
    if as_json:
        sys.stdout.write(told.silences_json(found) + "\n")
    else:
        told.show_silences(out, found)


def unsilence(silence_id: Annotated[int, typer.Argument(metavar="ID", help="See fortnight silences.")]) -> None:
    """End a silence; what is still bad is told with the next watch."""
    from forecasting.service import open_service

    now = datetime.now(UTC)
    with open_service(load_settings(), now) as service:
        service.store.alerts.end_silence(silence_id, now)
    out.print(f"silence {silence_id} has ended", highlight=False)


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a test message through every channel instead, now.")] = False,
) -> None:
    """Send the messages that wait, as every watch does at its end. Exit code 1 if one was not taken."""
    from forecasting.jobs.deliver import deliver, try_channels
    from forecasting.service import open_service

    settings, now = load_settings(), datetime.now(UTC)
    log_to_terminal()
    if test:
        tried = try_channels(settings.alerts, now)
        for channel, problem in tried.items():
            told = "ok" if problem is None else f"FAILS: {problem}"
            out.print(f"{channel}: {told}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(0 if all(problem is None for problem in tried.values()) else 1)
    with open_service(settings, now) as service:
        found = deliver(service, now)
        later = service.store.outbox.unsent(given_up_after=now)
    out.print(str(found), markup=False, highlight=False)
    if later:
        out.print(f"{len(later)} wait for another try: run this again in some minutes", highlight=False)
    sys.exit(1 if found.failed or found.given_up or later else 0)


def _known_rule(rule: str | None) -> None:
    if rule is not None and rule not in RULES:
        raise SettingsError(f"unknown rule {rule!r}", f"use one of {', '.join(RULES)}")


def _end(length: str | None, until: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    """When a silence ends."""
    if (length is None) == (until is None):
        raise SettingsError("a silence has one end", "give either --for or --until")
    if until is not None:
        end = parse_moment(until, zone, "until")
    else:
        parts = re.fullmatch(r"(\d{1,4})([mhdw])", length or "")
        if parts is None:
            raise SettingsError(f"--for {length!r} is no length of time", "write it as 30m, 12h, 2d or 1w")
        end = now + int(parts[1]) * UNITS[parts[2]]
    if end <= now:
        raise SettingsError(f"the silence would end at {end:%F %H:%M}Z, which is over", "choose a later end")
    return end


def _who() -> str:
    import getpass  # brings readline along

    return printable(getpass.getuser())
