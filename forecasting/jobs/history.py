"""What every step knows of a series at a moment."""

from datetime import datetime, timedelta

from forecasting import calendar
from forecasting.domain import Series
from forecasting.errors import HistoryError
from forecasting.history import History, daily_history
from forecasting.service import Service


def beginning(series: Series, as_of: datetime, history_days: int) -> datetime:
    """Where the history read at `as_of` begins: a local midnight, so that it does not move within a day."""
    return calendar.day_start(as_of.astimezone(series.zone).date() - timedelta(days=history_days), series.zone)


def known_history(service: Service, series: Series, as_of: datetime) -> History:
    """The daily history of a registered series as it was known at `as_of`.

    Raises:
        HistoryError: nothing was known by then, or no complete day.
    """
    readings = service.store.readings.as_of(series, as_of, beginning(series, as_of, service.settings.ingest.history_days))
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
    return daily_history(readings, series)
