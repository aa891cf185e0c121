"""Who may read, and what is kept."""

import os
import sys
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from forecasting.cli.running import out, progress_shown
from forecasting.errors import SettingsError
from forecasting.plain import require_plain
from forecasting.settings import load_settings

SHORTEST = 12
PASSWORD = "FORTNIGHT_NEW_PASSWORD"  # noqa: S105 - the name of a variable


def access(
    name: Annotated[str, typer.Argument(help="The login.")],
    role: Annotated[
        Literal["reader", "writer"], typer.Option(help="reader: what is published, nothing else. writer: run the service.")
    ] = "reader",
    revoke: Annotated[bool, typer.Option("--revoke", help="End its sessions and drop it.")] = False,
) -> None:
    """Make or change a login. Its password is in FORTNIGHT_NEW_PASSWORD or asked for twice; the server gets its hash only."""
    from forecasting.service import open_service

    given = os.environ.pop(PASSWORD, "")  # taken out, so that nothing started from here inherits it
    if not revoke and not given and not sys.stdin.isatty():
        raise SettingsError("there is no terminal to ask for a password", f"give it in {PASSWORD}")
    password = "" if revoke else given or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not revoke and len(password) < SHORTEST:
        raise SettingsError(f"a password of {len(password)} characters is too short", f"use {SHORTEST} or more")
    with open_service(load_settings(), datetime.now(UTC)) as service:
        if revoke:
            gone = service.store.access.revoke(name)
            done = "dropped" if gone else "shut out; it is still there, since it owns something in another database"
        else:
            done = f"{'made' if service.store.access.grant(name, role, password) else 'changed'}, role {role}"
    out.print(f"login {name}: {done}", highlight=False)
    if load_settings().database_url is None and not revoke:
        out.print("the embedded Postgres listens on no port: logins are for a server of your own (FORTNIGHT_DATABASE_URL)")


def keep(
    issue: Annotated[int, typer.Argument(help="Its number: SELECT issue_id FROM published.issue.")],
    reason: Annotated[str, typer.Option(help="Why it is needed whole.")],
) -> None:
    """Keep a forecast whole: compaction leaves it alone."""
    from forecasting.service import open_service

    reason = require_plain(reason, "the reason")
    with open_service(load_settings(), datetime.now(UTC)) as service:
        service.store.retention.hold(issue, reason)
    out.print(f"issue {issue} is kept", highlight=False)


def compact(
    before: Annotated[
        str, typer.Option(help="Only months wholly before this: a date (its midnight UTC) or a time with an offset.")
    ],
    leads: Annotated[str, typer.Option(help="Leads that every issue keeps.")] = "1,2,7,14",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped.")] = False,
) -> None:
    """Drop most leads and all paths of old forecasts, but not of the newest, the present champion's, kept ones and alerts'."""
    from zoneinfo import ZoneInfo

    from forecasting.domain import parse_moment
    from forecasting.jobs.compact import compact as job
    from forecasting.service import open_service

    moment = parse_moment(before, ZoneInfo("UTC"), "before")
    try:
        wanted = [int(lead) for lead in leads.split(",")]
    except ValueError:
        raise SettingsError(f"leads {leads!r} are no numbers", "give them as in --leads 1,2,7,14") from None
    with open_service(load_settings(), datetime.now(UTC)) as service, progress_shown() as report:
        done = job(service.store, moment, wanted, dry_run=dry_run, progress=report)
    for line in done.lines():
        out.print(line, highlight=False, soft_wrap=True)
