"""`fortnight replay --flows`: each day is a run of the daily flow, on one temporary Prefect server or on yours."""

import os
from datetime import datetime

import typer

from forecasting.cli.options import PathOption, SeriesOption, SourceOption
from forecasting.cli.replaying import AtOption, FirstOption, LastOption, OutOption, PlotOption, live_through
from forecasting.cli.running import guarded
from forecasting.service import Service
from forecasting.settings import SeriesSettings


def main(
    first: FirstOption,
    last: LastOption,
    at: AtOption = "06:00",
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
    out_file: OutOption = None,
    plot: PlotOption = None,
) -> None:
    """Run each day of the past as a run of the daily flow."""
    os.environ["FORTNIGHT_ALERTS__MUTED"] = "true"  # the flows read the settings themselves
    live_through(first, last, at, source, path, series, out_file, plot, by_flow)


def by_flow(_service: Service, given: SeriesSettings, as_of: datetime) -> str | None:
    """One morning, as Prefect runs it."""
    from flows.daily import daily

    path = given.options.get("path")
    state = daily(path=path, series=[given.id], as_of=as_of.isoformat(), return_state=True)
    return None if state.is_completed() else state.message


if __name__ == "__main__":
    guarded(lambda: typer.run(main))
