"""Watch: has the validation loss drifted? One alert an episode, resolved when it ends."""

import logging
from dataclasses import dataclass
from datetime import datetime

from forecasting import alerts, drift
from forecasting.domain import DAILY, Alert
from forecasting.jobs import Progress, silent
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings

logger = logging.getLogger(__name__)
RULE = "validation_loss_drift"


@dataclass(frozen=True, slots=True)
class WatchReport:
    """The verdict, and whether an episode began or ended with it."""

    verdict: drift.Verdict
    opened: bool
    resolved: bool

    def __str__(self) -> str:
        return f"{self.verdict}" + ("; alert opened" if self.opened else "; alert resolved" if self.resolved else "")


def watch(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> WatchReport:
    """Judge the validation losses known at `as_of`; open or resolve the series' alert."""
    series = demand_series(given)
    progress("watching", 0, 1)
    store, key = service.store, service.store.readings.key(series)
    rows = store.versions.validation_losses(key, DAILY, as_of)
    verdict = drift.judge([drift.Loss(row.as_of, row.model_mwh, row.weekly_naive_mwh) for row in rows], service.settings.drift)
    message = str(verdict)
    if rows:
        message = (
            f"{message}; champion {rows[-1].model_name} version {rows[-1].version}; compare its run with earlier ones in MLflow"
        )
    opened = verdict.state is drift.State.DRIFTING and store.alerts.open(key, RULE, as_of, message)
    resolved = verdict.state is drift.State.STEADY and store.alerts.resolve(key, RULE, as_of)
    if opened or resolved:
        alerts.announce(Alert(series.series_id, RULE, as_of, message, resolved), service.settings.alert_channels)
    progress("watching", 1, 1)
    report = WatchReport(verdict, opened, resolved)
    logger.info("%s: %s", series.series_id, report)
    return report
