"""What a person sees in the terminal."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from forecasting.domain import DAILY, Series
from forecasting.errors import StoreError
from forecasting.service import Service
from forecasting.store.forecasts import ForecastRow


def show_latest(console: Console, service: Service, series_id: str, as_of: datetime | None = None) -> None:
    """Print the newest forecast of a series, read back from where consumers read it.

    Args:
        as_of: the moment that was just replayed, if any: where there is a newer forecast than its own, that is said.

    Raises:
        StoreError: the series has none.
    """
    latest = service.store.forecasts.latest(series_id, DAILY)
    series = service.store.readings.series(series_id)
    if series is None or not latest:
        raise StoreError(f"series {series_id} has no published forecast", "make one: fortnight daily")
    if as_of is not None and latest[0].readings_as_of > as_of:
        console.print(
            f"the replay of {as_of:%F %H:%M}Z is stored; there is a newer forecast, which is shown", style="bold", highlight=False
        )
    console.print(forecast_table(latest, series))
    console.print(f"picture: {service.picture(series, latest[0].origin)}\n", highlight=False, soft_wrap=True)


def forecast_table(latest: Sequence[ForecastRow], series: Series) -> Table:
    """`published.forecast_latest` of one series as a table, by local day."""
    first = latest[0]
    warning = "SIMULATED, not real. " if series.simulated else ""
    table = Table(
        title=f"{warning}{series.name}: published.forecast_latest, days of {series.time_zone}",
        caption=(
            f"{first.model_name} version {first.model_version}, MLflow run {first.mlflow_run_id}, "
            f"readings as of {first.readings_as_of:%F %H:%M}Z, issued {first.issued_at:%F %H:%M}Z"
        ),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("lead", "day", "hours", *(f"{name}, {first.unit}" for name in ("mean", "q10", "q50", "q90"))):
        table.add_column(heading, justify="left" if heading == "day" else "right")
    for row in latest:
        hours = (row.target_end - row.target_start) / timedelta(hours=1)
        day = row.target_start.astimezone(series.zone)
        table.add_row(
            str(row.lead), f"{day:%a %d %b %Y}", f"{hours:g}", *(f"{value:,.0f}" for value in (row.mean, row.q10, row.q50, row.q90))
        )
    return table
