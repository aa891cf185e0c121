"""How commands run: progress, errors as one line, Ctrl-C, and the jobs of the chosen series."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4
from zoneinfo import ZoneInfo

import psutil
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment

from forecasting.cli.resuming import resumed
from forecasting.domain import as_of_moment
from forecasting.errors import ConnectionLost, FortnightError
from forecasting.jobs import STARTED_BY
from forecasting.jobs import Progress as Report
from forecasting.logs import bind, configure, speaks_json
from forecasting.plain import readable
from forecasting.settings import SeriesSettings, Settings, load_settings

if TYPE_CHECKING:
    from forecasting.service import Service
    from forecasting.store import Ending


class PlainConsole(Console):
    """Shows control characters of what it is given instead of obeying them: names, cells and messages are other people's."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=readable(segment.text))


out, err = PlainConsole(), PlainConsole(stderr=True)
INTERRUPTED, GO_ON = 130, "interrupted; nothing is half-written, run the same command again to go on"
Afterwards = Callable[["Service", Sequence[tuple[SeriesSettings, datetime]], Report], object]
Job = Callable[["Service", SeriesSettings, datetime, Report], object]


def guarded(command: Callable[[], object]) -> None:
    """Run a command line: expected errors become one line and an exit code, Ctrl-C ends at once."""
    signal.signal(signal.SIGINT, stop_at_once)
    try:
        command()
    except FortnightError as error:
        complain(error)
        sys.exit(error.exit_code)


def stop_at_once(_signal: int, _frame: object) -> NoReturn:
    """Ctrl-C, as good as a kill, which every job survives.

    A KeyboardInterrupt would be lost where a library swallows it; and a flow would wait for ever for Prefect's temporary server,
    which gets the signal too.
    """
    sys.stderr.write(f"{GO_ON}\n")
    for child in psutil.Process().children(recursive=True):
        child.terminate()
    os._exit(INTERRUPTED)


@resumed
def run(
    job: Job | None,
    source: str | None,
    path: Path | None,
    series: Sequence[str] | None,
    as_of: str | None,
    *,
    stored: bool = False,
    show_forecast: bool = False,
    hold: str = "",
    afterwards: Afterwards | None = None,
    named: str | None = None,
) -> None:
    """Run a job for each chosen series, holding it; one that fails does not keep the others from running.

    Args:
        named: what the job is called in the record of runs; None for one that records steps of its own.
        stored: the job works on what is stored, and needs no source.
        afterwards: what is done once with all series, each at its as-of time, however the jobs went.
        hold: hold only this part of a series, such as `/backfill`, so that other work on it goes on.

    Raises:
        ConnectionLost: Postgres went away, and did not come back in time.
        FortnightError: the last failure, after all series had their turn.
    """
    from forecasting.jobs.clock import by_the_right_clock
    from forecasting.jobs.runs import outcome_of
    from forecasting.report import show_latest
    from forecasting.service import choose_series

    settings, now = load_settings(), datetime.now(UTC)
    log_to_terminal()
    choose_series(settings, source, path, series or ())  # a mistake in the options is told before anything is started
    failures: list[FortnightError] = []
    with run_begun(settings, now) as (opened, ending), progress_shown() as report:
        service = by_the_right_clock(opened)
        ids = service.store.readings.stored_ids() if stored else None
        chosen = [
            (given, as_of_moment(as_of, ZoneInfo(given.time_zone), service.now))
            for given in choose_series(settings, source, path, series or (), ids)
        ]
        for given, moment in chosen:
            if job is None:
                break
            try:
                with service.store.hold(f"{given.id}{hold}"):
                    _do(service, job, named, given, moment, report)
                if show_forecast:
                    show_latest(out, service, given.id, moment)
            except ConnectionLost:
                raise
            except FortnightError as error:
                if failures:
                    complain(failures[-1])
                failures.append(error if len(chosen) == 1 else type(error)(f"series {given.id}: {error.problem}", error.remedy))
        if afterwards is not None:
            known = set(service.store.readings.stored_ids())
            at_rest = [(given, moment) for given, moment in chosen if given.id in known]
            if at_rest:
                afterwards(service, at_rest, report)
        if failures:
            ending.outcome, ending.told = outcome_of(failures[-1]), str(failures[-1])
    if failures:
        raise failures[-1]


def _do(service: "Service", job: Job, named: str | None, given: SeriesSettings, moment: datetime, report: Report) -> None:
    from forecasting.jobs.runs import step

    if named is None:
        job(service, given, moment, report)
    else:
        step(service, named, given.id, moment, lambda: job(service, given, moment, report))


@contextmanager
def run_begun(settings: Settings, now: datetime) -> Iterator[tuple["Service", "Ending"]]:
    """A service whose work is written down as one run, by hand unless the caretaker began it."""
    from forecasting.jobs.runs import begun
    from forecasting.service import open_service

    run_id = uuid4()
    bind(run_id=str(run_id))
    with open_service(settings, now, run_id) as service, begun(service, os.environ.get(STARTED_BY, "hand")) as ending:
        yield service, ending


def log_to_terminal() -> None:
    """Our own log and other people's warnings, on standard error."""
    configure(load_settings().log_format, err)


def complain(error: FortnightError | str) -> None:
    """One line on standard error."""
    if speaks_json():
        logging.getLogger(__name__).error("%s", error)
        return
    err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)


@contextmanager
def progress_shown() -> Iterator[Report]:
    """A progress bar on a terminal, one line for each thing being done; nothing elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(escape(what), total=total or None)
            progress.update(tasks[what], completed=done, total=total or None)

        yield report


def become(arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """Hand this process over to another program."""
    os.execvpe(arguments[0], arguments, {**os.environ, **environment})  # noqa: S606
