"""The log as an alert channel: always there, needs nothing."""

import logging

logger = logging.getLogger(__name__)


def send_to_log(kind: str, subject: str, body: str) -> None:
    """A note when something ends or is tried out, else a warning."""
    level = logging.INFO if kind in ("resolved", "test") else logging.WARNING
    logger.log(level, "%s\n%s", subject, body)
