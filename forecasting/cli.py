"""The command `fortnight`: the daily jobs without Prefect, and ways into what they leave."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from zoneinfo import ZoneInfo

import psutil
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from forecasting.domain import as_of_moment
from forecasting.errors import FortnightError, StoreError
from forecasting.jobs import Progress as Report
from forecasting.settings import SeriesSettings, load_settings

if TYPE_CHECKING:
    from forecasting.service import Service

app = typer.Typer(
    help="Two-week demand forecasts, every morning, in Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out, err = Console(), Console(stderr=True)

SourceOption = Annotated[
    str | None, typer.Option("--source", help="Only series of this source: csv, simulated.", show_default=False)
]
PathOption = Annotated[
    Path | None, typer.Option("--path", help="The file of a csv series, plain or .gz.", show_default=False, readable=False)
]
SeriesOption = Annotated[list[str] | None, typer.Option("--series", help="Only this series; may be repeated.", show_default=False)]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Know nothing after this: a date (its local midnight) or a time with an offset. \\[default: now]",
        show_default=False,
    ),
]
INTERRUPTED, GO_ON = 130, "interrupted; nothing is half-written, run the same command again to go on"
Job = Callable[["Service", SeriesSettings, datetime, Report], object]


def main() -> None:
    """Entry point: expected errors become one line and an exit code."""
    signal.signal(signal.SIGINT, stop_at_once)
    try:
        app()
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


@app.command()
def daily(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Ingest, retrain, publish, watch; then show the forecast."""
    from forecasting.jobs.daily import daily as job

    run(job, source, path, series, as_of, show_forecast=True)


@app.command()
def ingest(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Bring in new and corrected readings."""
    from forecasting.jobs.ingest import ingest as job

    run(job, source, path, series, as_of)


@app.command()
def retrain(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Fit a candidate, register it in MLflow, and let it stand against the champion."""
    from forecasting.jobs.retrain import retrain as job

    run(job, source, path, series, as_of, stored=True)


@app.command()
def publish(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Publish the champion's forecast; then show it."""
    from forecasting.jobs.publish import publish as job

    run(job, source, path, series, as_of, stored=True, show_forecast=True)


@app.command()
def watch(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Judge the validation losses; open or resolve alerts."""
    from forecasting.jobs.watch import watch as job

    run(job, source, path, series, as_of, stored=True)


@app.command()
def show(series: SeriesOption = None) -> None:
    """Print the newest forecast of each series and where its picture is."""
    from forecasting.report import show_latest
    from forecasting.service import open_service

    with open_service(load_settings()) as service:
        ids = series or service.store.readings.stored_ids()
        if not ids:
            raise StoreError("there are no forecasts yet", "make the first: fortnight daily")
        for series_id in ids:
            show_latest(out, service, series_id)


@app.command()
def migrate() -> None:
    """Bring the database to the present schema; every other command does so too."""
    from forecasting.service import open_service
    from forecasting.store import schema

    with open_service(load_settings()) as service:
        out.print(f"schema {schema.current(service.store.connection)}, up to date", highlight=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the service's database; what follows -- goes to psql."""
    from forecasting.service import database_url
    from forecasting.store.database import psql as psql_command

    arguments, environment = psql_command(database_url(load_settings()), context.args)
    become(arguments, environment)


@app.command()
def mlflow(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000) -> None:
    """Serve the MLflow UI, or say where it is if a tracking server is set."""
    settings = load_settings()
    if settings.mlflow_tracking_uri is not None:
        out.print(
            f"the tracking server is at {settings.mlflow_tracking_uri.get_secret_value().rsplit('@', 1)[-1]}", highlight=False
        )
        return
    folder = settings.home / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    out.print(f"MLflow on http://127.0.0.1:{port}, stop it with Ctrl-C", highlight=False)
    become(
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
         "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port)],
        {"MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip


@app.command()
def prefect(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 4200) -> None:
    """Serve the Prefect UI over the runs of `python -m flows`."""
    settings = load_settings()
    become(
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        settings.prefect_environment,
    )


@app.command()
def stop() -> None:
    """Stop the Postgres that the embedded default started; data stay."""
    from forecasting.store import embedded

    stopped = embedded.stop(load_settings().home)
    out.print("Postgres stopped" if stopped else "no embedded Postgres is running", highlight=False)


def run(
    job: Job,
    source: str | None,
    path: Path | None,
    series: Sequence[str] | None,
    as_of: str | None,
    *,
    stored: bool = False,
    show_forecast: bool = False,
) -> None:
    """Run a job for each chosen series, holding it; one that fails does not keep the others from running.

    Args:
        stored: the job works on what is stored, and needs no source.

    Raises:
        FortnightError: the last failure, after all series had their turn.
    """
    from forecasting.report import show_latest
    from forecasting.service import choose_series, open_service

    settings = load_settings()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=err, show_path=False)])
    for chatty in ("alembic", "mlflow", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    choose_series(settings, source, path, series or ())  # a mistake in the options is told before anything is started
    failures: list[FortnightError] = []
    with open_service(settings) as service, progress_shown() as report:
        ids = service.store.readings.stored_ids() if stored else None
        for given in choose_series(settings, source, path, series or (), ids):
            try:
                moment = as_of_moment(as_of, ZoneInfo(given.time_zone), datetime.now(UTC))
                with service.store.hold(given.id):
                    job(service, given, moment, report)
                if show_forecast:
                    show_latest(out, service, given.id, moment)
            except FortnightError as error:
                if failures:
                    complain(failures[-1])
                failures.append(error)
    if failures:
        raise failures[-1]


def complain(error: FortnightError | str) -> None:
    """One line on standard error."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)


@contextmanager
def progress_shown() -> Iterator[Report]:
    """A progress bar on a terminal, one line for each thing being done; nothing elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield report


def become(arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """Hand this process over to another program."""
    os.execvpe(arguments[0], arguments, {**os.environ, **environment})  # noqa: S606


if __name__ == "__main__":
    main()
