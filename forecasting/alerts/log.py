"""The log as an alert channel: always there, needs nothing."""

import logging

from forecasting.domain import Alert

logger = logging.getLogger(__name__)


def send_to_log(alert: Alert) -> None:
    """A warning when an episode begins, a note when it ends."""
    level = logging.INFO if alert.resolved else logging.WARNING
    word = "resolved" if alert.resolved else "ALERT"
    logger.log(level, "%s %s %s: %s", word, alert.series_id, alert.rule, alert.message)
