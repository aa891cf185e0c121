"""The whole story for one series."""

from datetime import datetime

from forecasting.jobs import Progress, silent
from forecasting.jobs.ingest import ingest
from forecasting.jobs.publish import PublishReport, publish
from forecasting.jobs.retrain import retrain
from forecasting.jobs.watch import watch
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings


def daily(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> PublishReport:
    """Ingest, retrain, publish, watch. Raises what they raise."""
    series = demand_series(given)
    ingest(service, given, as_of, progress)
    retrain(service, series, as_of, progress)
    report = publish(service, series, as_of)
    watch(service, series, as_of)
    return report
