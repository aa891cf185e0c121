"""A history straight from a feed, without a database: what a backtest runs on."""

from collections.abc import Iterator
from datetime import datetime

import pandas as pd

from forecasting.calendar import EPOCH
from forecasting.domain import Quantity
from forecasting.errors import HistoryError, SettingsError
from forecasting.frames import Batch
from forecasting.history import History, clock_history
from forecasting.jobs import Progress
from forecasting.service import demand_series
from forecasting.settings import SeriesSettings, Settings
from forecasting.sources import WEATHER, open_source
from forecasting.sources.web import Web


def history_of_feed(settings: Settings, given: SeriesSettings, now: datetime, progress: Progress) -> History:
    """Everything that a series' feed gives up to `now`, as the newest version of each value.

    Raises:
        SettingsError: a feed that must be asked in pieces.
        HistoryError: no readings.
        SourceError: the feed cannot be read.
    """
    series = demand_series(given)
    web = Web(settings.web, settings.home / "http")
    source = open_source(given.source, given.id, given.options, web)
    if source.window is not None:
        raise SettingsError(
            f"series {given.id} comes from {given.source}, which is asked in pieces",
            "export its readings to CSV, or backtest a csv series: --source csv --path FILE",
        )
    found: dict[Quantity, list[pd.DataFrame]] = {}
    rows = 0

    def collect(batches: Iterator[Batch]) -> None:
        nonlocal rows
        for batch in batches:
            found.setdefault(batch.quantity, []).append(batch.readings)
            rows += batch.rows
            progress("reading rows", rows, 0)

    collect(iter(source.read(series, EPOCH, now)))
    if given.weather is not None:
        weather = open_source(given.weather.source, given.id, given.weather.options, web, WEATHER)
        collect(iter(weather.read(series.companion(Quantity.TEMPERATURE), EPOCH, now)))
    progress("reading rows", rows, rows)
    if Quantity.DEMAND not in found:
        raise HistoryError(f"the feed of series {given.id} has no readings", "check --path")
    return clock_history(_newest(found[Quantity.DEMAND]), series, _newest(found.get(Quantity.TEMPERATURE, [])))


def _newest(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One value an interval, the last one given."""
    if not frames:
        return pd.DataFrame({"interval_start": pd.DatetimeIndex([], tz="UTC"), "value": []})
    joined = pd.concat(frames, ignore_index=True)
    return joined.drop_duplicates("interval_start", keep="last").sort_values("interval_start", ignore_index=True)
