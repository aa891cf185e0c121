"""Living through the past."""

import logging
from datetime import UTC, date, datetime, time
from typing import Annotated

import typer

from forecasting.cli.options import PathOption, SeriesOption, SourceOption
from forecasting.cli.running import log_to_terminal, out, progress_shown
from forecasting.errors import SettingsError
from forecasting.settings import load_settings


def replay(
    first: Annotated[str, typer.Option("--from", help="The first day, such as 2014-01-01.", show_default=False)],
    last: Annotated[str, typer.Option("--to", help="The last day.", show_default=False)],
    at: Annotated[str, typer.Option("--at", help="Local time of the daily run.")] = "06:00",
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
) -> None:
    """Run each day of the past as if it were live, knowing no more than was known then; list every alert. No message leaves the
    machine."""
    from forecasting.jobs.replay import replay as job
    from forecasting.report import replay_table
    from forecasting.service import choose_series, open_service

    settings, now = load_settings(), datetime.now(UTC)
    settings = settings.model_copy(update={"alerts": settings.alerts.model_copy(update={"channels": {}})})
    days = [_day(text, option) for text, option in ((first, "--from"), (last, "--to"))]
    if days[0] > days[1]:
        raise SettingsError(f"--from {first} is after --to {last}", "give the earlier one first")
    log_to_terminal()
    logging.getLogger("forecasting").setLevel(logging.WARNING)
    with open_service(settings, now) as service, progress_shown() as report:
        for given in choose_series(settings, source, path, series or ()):
            found = job(service, given, days[0], days[1], _time(at), report)
            out.print(f"{given.id}: {found}", highlight=False, soft_wrap=True)
            if found.fired:
                out.print(replay_table(found))
            for day, told in list(found.failures.items())[:MOST_FAILURES]:
                out.print(f"{day}: {told}", highlight=False, soft_wrap=True, style="yellow")


MOST_FAILURES = 20


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option} {text!r} is not a date", "give one such as 2014-01-31") from None


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--at {text!r} is not a time of day", "give one such as 06:00") from None
