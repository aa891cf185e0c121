"""Looking at what there is."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from forecasting.cli.options import SeriesOption
from forecasting.cli.running import log_to_terminal, out, progress_shown
from forecasting.errors import StoreError
from forecasting.settings import load_settings

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for machines.")]


def show(series: SeriesOption = None) -> None:
    """Print the newest forecast of each series and where its picture is."""
    from forecasting.report import show_latest
    from forecasting.service import open_service

    with open_service(load_settings(), datetime.now(UTC)) as service:
        ids = series or service.store.readings.stored_ids()
        if not ids:
            raise StoreError("there are no forecasts yet", "make the first: fortnight daily")
        for series_id in ids:
            show_latest(out, service, series_id)


def status(series: SeriesOption = None, as_json: JsonOption = False) -> None:
    """Freshness, gaps, quarantine and forecast of each series. Exit code 0: well, 1: needs a look, 2: stale or failing."""
    from forecasting.jobs.status import status as job
    from forecasting.report import show_status, status_json
    from forecasting.service import open_service

    with open_service(load_settings(), datetime.now(UTC)) as service:
        found = job(service, series or ())
    if as_json:
        sys.stdout.write(status_json(found) + "\n")
    else:
        show_status(out, found)
    sys.exit(max((each.level for each in found), default=0))


def doctor(series: SeriesOption = None) -> None:
    """Try everything fortnight needs: database, MLflow, disk, and each feed with one small question. Exit code 1 if any fails."""
    from forecasting.jobs.doctor import examine
    from forecasting.report import doctor_table

    log_to_terminal()
    with progress_shown() as report:
        found = examine(load_settings(), series or (), datetime.now(UTC), report)
    out.print(doctor_table(found))
    sys.exit(0 if all(check.passed for check in found) else 1)
