"""Publish: the champion's forecast from what is known, made visible whole."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from forecasting import plotting
from forecasting.domain import DAILY, Series
from forecasting.errors import RegistryError
from forecasting.history import require_recent
from forecasting.jobs import Progress, silent
from forecasting.jobs.champion import load, reigning
from forecasting.jobs.history import known_history
from forecasting.predicting import forecast_frame
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.forecasts import NewIssue
from forecasting.store.versions import ModelVersion
from forecasting.training import one_thread

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishReport:
    """What consumers see now. `published` is False where the same model had published from the same history before."""

    series: Series
    version: ModelVersion
    origin: datetime
    forecast: pd.DataFrame
    published: bool
    picture: Path

    def __str__(self) -> str:
        verb = "published" if self.published else "had been published before"
        return (
            f"{len(self.forecast)} days from {self.origin.astimezone(self.series.zone):%F} by {self.version.model_name} "
            f"version {self.version.version} {verb}"
        )


@one_thread()
def publish(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> PublishReport:
    """Forecast with the champion and publish; the same inputs never make a second forecast.

    Raises:
        HistoryError: no useful forecast can start from what is known.
        RegistryError: there is no champion yet, or it cannot be loaded and verified.
        PublishError: the forecast is not fit to be seen.
    """
    series = demand_series(given)
    history = known_history(service, given, as_of)
    version = reigning(service, series, DAILY, as_of)
    if version is None:
        raise RegistryError(f"series {series.series_id} had no champion at {as_of:%F %H:%M}Z", "train one first: fortnight retrain")
    progress("publishing", 0, 1)
    model = load(service, version)
    layout = model.forecaster.layout
    require_recent(history, as_of, layout.past_days, layout.horizon_days)
    forecast = forecast_frame(model, history)
    issue = NewIssue(
        version=version,
        origin=history.origin,
        inputs_start=history.start_of(-layout.past_days),
        readings_as_of=as_of,
        history_sha256=history.fingerprint,
        unit=series.unit,
        leads=layout.horizon_days,
    )
    published = service.store.forecasts.publish(forecast, issue)
    figure = plotting.forecast_picture(history, forecast, f"{version.model_name} version {version.version}")
    picture = plotting.save(figure, service.picture(series, history.origin))
    progress("publishing", 1, 1)
    report = PublishReport(series, version, history.origin, forecast, published, picture)
    logger.info("%s: %s", series.series_id, report)
    return report
