"""Living through the past."""

import csv
import logging
import sys
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from forecasting.cli.options import PathOption, SeriesOption, SourceOption
from forecasting.cli.running import become, log_to_terminal, out, progress_shown
from forecasting.errors import SettingsError
from forecasting.settings import load_settings

if TYPE_CHECKING:
    from forecasting.jobs.replay import ReplayReport, RunDay

MOST_FAILURES = 20
FirstOption = Annotated[str, typer.Option("--from", help="The first day, such as 2014-01-01.", show_default=False)]
LastOption = Annotated[str, typer.Option("--to", help="The last day.", show_default=False)]
AtOption = Annotated[str, typer.Option("--at", help="Local time of the daily run.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write what each day cost to this CSV file.", show_default=False, writable=False)
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", help="Draw the replay to this PNG file.", show_default=False, writable=False)
]


def replay(
    first: FirstOption,
    last: LastOption,
    at: AtOption = "06:00",
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
    out_file: OutOption = None,
    plot: PlotOption = None,
    through_prefect: Annotated[bool, typer.Option("--flows", help="Through the Prefect flow, a flow run a day.")] = False,
) -> None:
    """Run each day of the past as if it were live, knowing no more than was known then; list every alert. No message leaves the
    machine."""
    if through_prefect:
        become([sys.executable, "-m", "flows.replay", *(word for word in sys.argv[2:] if word != "--flows")], {})
    live_through(first, last, at, source, path, series, out_file, plot)


def live_through(
    first: str,
    last: str,
    at: str,
    source: str | None,
    path: Path | None,
    series: list[str] | None,
    out_file: Path | None,
    plot: Path | None,
    run_day: "RunDay | None" = None,
) -> None:
    """Replay each chosen series and print how it went.

    Args:
        run_day: what does a day's work, if not the jobs in this process.
    """
    from forecasting.jobs.replay import by_hand
    from forecasting.jobs.replay import replay as job
    from forecasting.report import accuracy_table, replay_table
    from forecasting.service import choose_series, open_service

    settings, now = load_settings(), datetime.now(UTC)
    settings = settings.model_copy(update={"alerts": settings.alerts.model_copy(update={"muted": True})})
    days = [_day(text, option) for text, option in ((first, "--from"), (last, "--to"))]
    if days[0] > days[1]:
        raise SettingsError(f"--from {first} is after --to {last}", "give the earlier one first")
    log_to_terminal()
    logging.getLogger("forecasting").setLevel(logging.WARNING)
    with open_service(settings, now) as service, progress_shown() as report:
        for given in choose_series(settings, source, path, series or ()):
            found = job(service, given, days[0], days[1], _time(at), report, run_day or by_hand)
            whole = (datetime.combine(day, time(hour), ZoneInfo(given.time_zone)) for day, hour in zip(days, (0, 23), strict=True))
            accuracy = service.store.watched.accuracy(given.id, *whole)
            out.print(f"{given.id}: {found}", highlight=False, soft_wrap=True)
            if accuracy:
                out.print(accuracy_table(accuracy))
            if found.fired:
                out.print(replay_table(found))
            for day, told in list(found.failures.items())[:MOST_FAILURES]:
                out.print(f"{day}: {told}", highlight=False, soft_wrap=True, style="yellow")
            if out_file is not None:
                _write(found, _beside(out_file, given.id, series))
            if plot is not None:
                from forecasting import plotting
                from forecasting.plotting_replay import replay_picture

                plotting.save(replay_picture(given.name, found.days, accuracy), _beside(plot, given.id, series))


def _beside(path: Path, series_id: str, series: list[str] | None) -> Path:
    """The file itself, or one a series where there are several."""
    return path if series is None or len(series) < 2 else path.with_stem(f"{path.stem}-{series_id}")


def _write(report: "ReplayReport", path: Path) -> None:
    from forecasting.jobs.replay import ReplayDay

    try:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(ReplayDay)])
            writer.writeheader()
            writer.writerows(asdict(day) for day in report.days)
    except OSError as error:
        raise SettingsError(f"--out {path} cannot be written ({error.strerror})", "choose another file") from None


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
