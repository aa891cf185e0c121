"""Sending what waits in the outbox: at least once, one deliverer a message at a time, and tried again until it is given up."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from forecasting.alerts.channels import send
from forecasting.alerts.log import send_to_log
from forecasting.errors import DeliveryError, FortnightError
from forecasting.jobs.alerting import LOG
from forecasting.service import Service
from forecasting.settings import AlertSettings
from forecasting.store.outbox import Notification

logger = logging.getLogger(__name__)
LONGEST_PAUSE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many messages were sent, failed and wait for another try, or were given up."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0

    def __str__(self) -> str:
        told = [f"{self.sent} messages sent"]
        told += [f"{count} {word}" for count, word in ((self.failed, "to be tried again"), (self.given_up, "given up")) if count]
        return ", ".join(told)


def deliver(service: Service, now: datetime) -> Delivered:
    """Send every message that is due at `now` and that nobody else is sending.

    A message is held in a transaction while it is sent: whoever is killed lets go of it, and the next deliverer sends it, perhaps
    once more. After a channel failed, its other messages wait for the next delivery.
    """
    resting: set[str] = set()
    sent = failed = given_up = 0
    outbox, settings = service.store.outbox, service.settings.alerts
    while True:
        with service.store.transaction():
            notification = outbox.take(now, resting)
            if notification is None:
                return Delivered(sent, failed, given_up)
            picture = own_picture(service.settings.home, notification.picture)
            try:
                send_to(settings, notification.channel, notification.kind, notification.subject, notification.body, picture)
            except FortnightError as error:
                resting.add(notification.channel)
                if notification.attempts + 1 >= settings.tries:
                    outbox.give_up(notification, str(error), now)
                    given_up += 1
                else:
                    outbox.failed(notification, str(error), now + pause(settings, notification.attempts))
                    failed += 1
                _log_failure(settings, notification, error)
            else:
                outbox.sent(notification, now)
                sent += 1


def own_picture(home: Path, picture: str | None) -> str | None:
    """A picture of ours, in the state folder; no other file is sent to anybody, whatever a row of the outbox names."""
    folder = (home / "pictures").resolve()
    if picture is None or not Path(picture).is_file():
        return None
    return picture if Path(picture).resolve().is_relative_to(folder) else None


def deliver_or_leave(service: Service, now: datetime) -> None:
    """Deliver at the end of other work, which no failure of this may spoil."""
    try:
        deliver(service, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, the messages are stored and the next delivery sends them
        logger.error("messages could not be delivered (%s: %s); the next run tries again", type(error).__name__, error)  # noqa: TRY400


def send_to(settings: AlertSettings, channel: str, kind: str, subject: str, body: str, picture: str | None) -> None:
    """Send one message to a channel.

    Raises:
        DeliveryError: the settings do not know the channel, or it did not take the message.
        SettingsError: its address is missing.
    """
    if channel == LOG:
        send_to_log(kind, subject, body)
        return
    if channel not in settings.open_channels:
        raise DeliveryError(f"there is no alert channel {channel!r}", "describe it again in [alerts.channels]")
    send(settings.open_channels[channel].address().get_secret_value(), kind, subject, body, picture)


def try_channels(settings: AlertSettings, now: datetime) -> dict[str, str | None]:
    """Send a test message to every channel: what is wrong with each, None where it was taken."""
    found: dict[str, str | None] = {}
    for channel in (LOG, *settings.open_channels):
        body = f"This is a test of alert channel {channel!r}, sent at {now:%F %H:%M}Z. Nothing is wrong."
        try:
            send_to(settings, channel, "test", "[fortnight] TEST", body, None)
            found[channel] = None
        except FortnightError as error:
            found[channel] = str(error)
    return found


def pause(settings: AlertSettings, attempts: int) -> timedelta:
    """How long to wait after so many earlier tries: twice as long each time."""
    first = timedelta(minutes=settings.backoff_minutes)
    return min(first * 2.0 ** min(attempts, 20), LONGEST_PAUSE)


def _log_failure(settings: AlertSettings, notification: Notification, error: FortnightError) -> None:
    attempt = notification.attempts + 1
    given_up = attempt >= settings.tries
    logger.log(
        logging.ERROR if given_up else logging.WARNING,
        "message %d to channel %s %s after %d of %d tries: %s",
        notification.notification_id,
        notification.channel,
        "is given up" if given_up else "was not taken",
        attempt,
        settings.tries,
        error,
    )
