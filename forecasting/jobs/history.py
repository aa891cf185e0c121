"""What every step knows of a series at a moment."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from forecasting import calendar
from forecasting.domain import Information, Quantity, Series
from forecasting.errors import HistoryError
from forecasting.history import History, clock_history, clock_temperature
from forecasting.service import Service, demand_series, temperature_series
from forecasting.settings import SeriesSettings

HORIZON_DAYS = 28
"""How far ahead a weather forecast is read: beyond the horizon, where readings are late."""


def beginning(series: Series, as_of: datetime, history_days: int) -> datetime:
    """Where the history read at `as_of` begins: a local midnight, so that it does not move within a day."""
    return calendar.day_start(as_of.astimezone(series.zone).date() - timedelta(days=history_days), series.zone)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What of the stored readings makes a history: from when on, and of how many last days the weather forecasts too."""

    since: datetime
    outlook_days: int

    @classmethod
    def of(cls, service: Service, series: Series, as_of: datetime) -> "Recipe":
        """What the settings say."""
        settings = service.settings
        outlooks = settings.training.validation_days if settings.model.information == Information.F else 0
        return cls(beginning(series, as_of, settings.ingest.history_days), outlooks)


def known_history(service: Service, given: SeriesSettings, as_of: datetime) -> History:
    """The history of a registered series as it was known at `as_of`; see `history_of`."""
    series = demand_series(given)
    temperature = series.companion(Quantity.TEMPERATURE) if given.weather is None else temperature_series(given)
    return history_of(service, series, temperature, as_of, Recipe.of(service, series, as_of))


def history_of(service: Service, series: Series, temperature: Series, as_of: datetime, recipe: Recipe) -> History:
    """A history as it was known at `as_of`, with the temperatures beside it.

    Where models may know weather forecasts, with the newest of them for the days to come, and with those that were known at the
    origins which models are judged from.

    Raises:
        HistoryError: nothing was known by then, or no complete day.
    """
    readings = service.store.readings.as_of(series, as_of, recipe.since)
    if readings.empty:
        newest = service.store.readings.newest(series, as_of)
        if newest is not None:
            raise HistoryError(
                f"the readings of series {series.series_id} end on {newest:%F}, {(as_of - newest).days} days before {as_of:%F}",
                "ingest newer ones, or give an --as-of near their end",
            )
        raise HistoryError(
            f"series {series.series_id} has no readings known at {as_of:%F %H:%M}Z",
            "choose a later --as-of, or ingest first: fortnight ingest",
        )
    history = clock_history(readings, series, _stored(service, temperature, as_of, recipe.since))
    if history.temperature_c is None or not recipe.outlook_days:
        return history
    forecasts = temperature.companion(Quantity.TEMPERATURE_FORECAST)
    outlooks = {}
    for position in range(max(1, len(history) - recipe.outlook_days), len(history) + 1):
        origin = history.start_of(position)
        outlook = _stored(service, forecasts, min(origin, as_of) if position < len(history) else as_of, origin)
        if outlook is not None and not outlook.empty:
            coming = pd.date_range(history.days[0] + pd.Timedelta(days=position), periods=HORIZON_DAYS, freq="D")
            outlooks[position] = clock_temperature(outlook, series, coming)
    return replace(history, outlooks_c=outlooks)


def _stored(service: Service, series: Series, as_of: datetime, since: datetime) -> pd.DataFrame | None:
    """Readings of a companion; None where it was never ingested."""
    if service.store.readings.series(series.series_id) is None:
        return None
    return service.store.readings.as_of(series, as_of, since)
