"""What a drift leads to beyond a message, where the settings say so: a retrain now, or a rollback. On record, with its outcome."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from forecasting.domain import Resolution
from forecasting.drift import State
from forecasting.errors import FortnightError
from forecasting.jobs import Progress, silent
from forecasting.jobs.evidence import Seen
from forecasting.service import Service
from forecasting.settings import SeriesSettings
from forecasting.watching.realised import PREDECESSOR

logger = logging.getLogger(__name__)
DRIFTS = ("loss_drift", "loss_drift_series", "validation_loss_drift")
"""Rules that lead to an action."""
RESOLUTION: Resolution = "daily"


def act(
    service: Service,
    chosen: Sequence[tuple[SeriesSettings, datetime]],
    seen: Mapping[str, Seen],
    progress: Progress = silent,
) -> list[str]:
    """Act on every drift alert that has not led to its action, then publish anew; the outcomes."""
    action, alerts = service.settings.alerts.on_drift, service.store.alerts
    if action == "alert":
        return []
    outcomes = []
    for alert_id in alerts.owing_action(DRIFTS, action):
        episode = alerts.get(alert_id)
        concerned = [pair for pair in chosen if episode.finding.series_id in (None, pair[0].id)]
        if episode.finding.series_id is None:
            drifting = [pair for pair in concerned if seen[pair[0].id].realised.state is State.DRIFTING]
            concerned = drifting or concerned
        if not concerned:
            continue
        number = alerts.begin_action(alert_id, action, max(as_of for _, as_of in concerned))
        if number is None:
            continue
        told = [_outcome(service, action, given, as_of, seen[given.id], progress) for given, as_of in concerned]
        alerts.finish_action(number, "; ".join(told))
        logger.warning("alert %d led to %s: %s", alert_id, action, "; ".join(told))
        outcomes += told
    return outcomes


def _outcome(service: Service, action: str, given: SeriesSettings, as_of: datetime, seen: Seen, progress: Progress) -> str:
    from forecasting.jobs.publish import publish  # torch, which a watch that finds nothing does without

    act_on = _retrain if action == "retrain" else _rollback
    try:
        with service.store.hold(given.id):
            told, changed = act_on(service, given, as_of, seen, progress)
            if changed:
                told = f"{told}; {publish(service, given, as_of, progress)}"
    except FortnightError as error:
        told = f"failed: {error}"
    return f"{given.id}: {told}"


def _retrain(service: Service, given: SeriesSettings, as_of: datetime, seen: Seen, progress: Progress) -> tuple[str, bool]:  # noqa: ARG001
    from forecasting.jobs.retrain import retrain

    report = retrain(service, given, as_of, progress)
    return str(report), report.trained


def _rollback(service: Service, given: SeriesSettings, as_of: datetime, seen: Seen, progress: Progress) -> tuple[str, bool]:  # noqa: ARG001
    from forecasting.jobs.promote import before, promote

    against = seen.realised.against.get(PREDECESSOR)
    if against is None or against.state is not State.DRIFTING:
        return "not rolled back: the version in charge is not worse than its predecessor on the same days", False
    version = before(service, given, as_of)
    promote(
        service, version, "rollback", as_of, f"its successor's loss rose {against.rise or 0.0:.0%} above that of its predecessor"
    )
    return f"rolled back to {version.model_name} version {version.version} ({version.family})", True
