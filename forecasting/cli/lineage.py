"""From an issue to what it rests on."""

import random
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from forecasting.cli.options import SeriesOption
from forecasting.cli.running import log_to_terminal, out, progress_shown
from forecasting.errors import SettingsError
from forecasting.settings import load_settings


def explain(issue: Annotated[int, typer.Argument(help="issue_id of a forecast.", show_default=False)]) -> None:
    """What a forecast rests on: tier and reason, model, MLflow run, code, readings, weather."""
    from rich.markup import escape
    from rich.table import Table

    from forecasting.jobs.lineage import explain as job
    from forecasting.service import open_service

    with open_service(load_settings(), datetime.now(UTC)) as service:
        pairs = job(service, issue)
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, escape(value))
    out.print(table, highlight=False)


def verify(
    issues: Annotated[list[int] | None, typer.Argument(help="issue_id of forecasts.", show_default=False)] = None,
    at_random: Annotated[int, typer.Option("--random", min=0, help="So many issues at random instead.")] = 0,
    series: SeriesOption = None,
) -> None:
    """Make forecasts again from what was known then, and compare bit for bit. Exit code 1 if any differs."""
    from forecasting.jobs.lineage import verify as job
    from forecasting.service import open_service

    log_to_terminal()
    with open_service(load_settings(), datetime.now(UTC)) as service, progress_shown() as report:
        chosen = list(issues or [])
        if at_random:
            known = service.store.readings.stored_ids()
            for series_id in series or ():
                if series_id not in known:
                    raise SettingsError(f"nothing is stored of series {series_id!r}", f"use one of {', '.join(known) or 'none'}")
            every = service.store.forecasts.ready_ids(series or ())
            chosen += random.sample(every, min(at_random, len(every)))
        if not chosen:
            raise SettingsError("no issue to verify", "name some by issue_id, or give --random 10")
        found = job(service, chosen, report)
    for each in found:
        if not each.identical or len(found) <= MANY:
            out.print(str(each), markup=False, highlight=False, soft_wrap=True)
    same = sum(each.identical for each in found)
    out.print(f"{same} of {len(found)} identical", style="bold" if same == len(found) else "bold red", highlight=False)
    sys.exit(0 if same == len(found) else 1)


MANY = 20
"""More lines than this nobody reads."""
