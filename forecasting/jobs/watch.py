"""Watch: has the validation loss drifted? What is found becomes alerts, and their messages are sent."""

import logging
from dataclasses import dataclass
from datetime import datetime

from forecasting import drift
from forecasting.domain import DAILY, Finding
from forecasting.jobs import Progress, silent
from forecasting.jobs.alerting import Recorded, record
from forecasting.jobs.deliver import deliver_or_leave
from forecasting.rules import RULES
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.versions import ValidationLoss

logger = logging.getLogger(__name__)
RULE = RULES["validation_loss_drift"]


@dataclass(frozen=True, slots=True)
class WatchReport:
    """The verdict, and which episodes began or ended with it."""

    verdict: drift.Verdict
    recorded: Recorded

    def __str__(self) -> str:
        return "; ".join(filter(None, (str(self.verdict), str(self.recorded))))


def watch(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> WatchReport:
    """Judge the validation losses known at `as_of`; open or resolve the series' alert, and tell people."""
    series = demand_series(given)
    progress("watching", 0, 1)
    store = service.store
    rows = store.versions.validation_losses(store.readings.key(series), DAILY, as_of)
    verdict = drift.judge([drift.Loss(row.as_of, row.model_mwh, row.weekly_naive_mwh) for row in rows], service.settings.drift)
    report = WatchReport(verdict, record(service, [finding(series.series_id, verdict, rows, as_of)], as_of))
    deliver_or_leave(service, service.now)
    progress("watching", 1, 1)
    logger.info("%s: %s", series.series_id, report)
    return report


def finding(series_id: str, verdict: drift.Verdict, rows: list[ValidationLoss], as_of: datetime) -> Finding:
    """The verdict as a finding."""
    champion = f"; champion {rows[-1].model_name} version {rows[-1].version}" if rows else ""
    bad = None if verdict.state is drift.State.TOO_EARLY else verdict.state is drift.State.DRIFTING
    message = f"{verdict}{champion}"
    return Finding(RULE.name, series_id, bad, rows[-1].as_of if rows else as_of, RULE.severity, message, score=verdict.z)
