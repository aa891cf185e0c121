"""The daily jobs without Prefect."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli.options import AsOfOption, PathOption, SeriesOption, SourceOption
from forecasting.cli.running import run
from forecasting.jobs import Progress
from forecasting.settings import SeriesSettings

if TYPE_CHECKING:
    from forecasting.service import Service


def daily(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Ingest, retrain, publish, watch; then show the forecast."""
    from forecasting.jobs.daily import daily as job
    from forecasting.jobs.due import to_watch
    from forecasting.jobs.watch import watch

    def look(service: "Service", pairs: Sequence[tuple[SeriesSettings, datetime]], progress: Progress) -> object:
        return watch(service, to_watch(service, pairs) if as_of is None else pairs, progress)

    run(job, source, path, series, as_of, show_forecast=True, afterwards=look)


def ingest(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Bring in new and corrected readings, and ask again for missing ones."""
    from forecasting.jobs.ingest import ingest as job

    run(job, source, path, series, as_of, named="ingest")


def backfill(
    first: Annotated[str, typer.Option("--from", help="Local midnight of this date, or a time with an offset.")],
    last: Annotated[str, typer.Option("--to", help="Up to the local midnight that begins this date, or a time with an offset.")],
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
) -> None:
    """Bring in the readings of a stretch of the past; killed, the same command goes on where it was. Daily runs go on meanwhile."""
    from forecasting.jobs.backfill import backfill as job

    run(
        lambda service, given, as_of, progress: job(service, given, first, last, as_of, progress),
        source,
        path,
        series,
        None,
        hold="/backfill",
        named="backfill",
    )


def retrain(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Fit a candidate, register it in MLflow, and let it stand against the champion."""
    from forecasting.jobs.retrain import retrain as job

    run(job, source, path, series, as_of, stored=True, named="retrain")


def publish(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Publish the champion's forecast; then show it."""
    from forecasting.jobs.publish import publish as job

    run(job, source, path, series, as_of, stored=True, show_forecast=True, named="publish")


def watch(source: SourceOption = None, path: PathOption = None, series: SeriesOption = None, as_of: AsOfOption = None) -> None:
    """Judge forecasts, losses and readings; open or resolve alerts, act on them, and send what waits to be sent."""
    from forecasting.jobs.watch import watch as look

    run(None, source, path, series, as_of, stored=True, afterwards=look)
