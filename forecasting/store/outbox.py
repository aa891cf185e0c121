"""Notifications that wait to be sent."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from forecasting.store.database import Connection, statement

NoticeKind = Literal["firing", "resolved", "escalated", "digest", "test"]


@dataclass(frozen=True, slots=True)
class NewNotification:
    """One message for one channel, which is named; its address is a secret of the settings."""

    channel: str
    kind: NoticeKind
    subject: str
    body: str
    picture: str | None
    alert_ids: Sequence[int]
    as_of: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Notification:
    """One that has not been sent; `attempts` is how often that was tried."""

    notification_id: int
    channel: str
    kind: NoticeKind
    subject: str
    body: str
    picture: str | None
    attempts: int
    created_at: datetime
    last_error: str | None
    given_up_at: datetime | None


class Outbox:
    """Rows of `notification`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def put(self, notifications: Iterable[NewNotification]) -> None:
        """Store what is to be sent."""
        rows = [{**asdict(each), "alert_ids": list(each.alert_ids)} for each in notifications]
        with self.connection.cursor() as cursor:
            cursor.executemany(statement("add_notification"), rows)

    def take(self, now: datetime, resting: Iterable[str]) -> Notification | None:
        """Hold one that is due and that nobody else holds, until the transaction ends.

        Args:
            resting: channels that are not to be tried.
        """
        with self.connection.cursor(row_factory=class_row(Notification)) as cursor:
            return cursor.execute(statement("next_notification"), {"now": now, "resting": sorted(resting)}).fetchone()

    def sent(self, notification: Notification, at: datetime) -> None:
        """It has arrived."""
        self._note(notification, sent_at=at)

    def failed(self, notification: Notification, error: str, again_at: datetime) -> None:
        """It is to be tried again."""
        self._note(notification, error=error, due_at=again_at)

    def give_up(self, notification: Notification, error: str, at: datetime) -> None:
        """It is not tried again."""
        self._note(notification, error=error, given_up_at=at)

    def _note(
        self,
        notification: Notification,
        error: str | None = None,
        due_at: datetime | None = None,
        sent_at: datetime | None = None,
        given_up_at: datetime | None = None,
    ) -> None:
        parameters = {
            "notification_id": notification.notification_id,
            "error": error,
            "due_at": due_at,
            "sent_at": sent_at,
            "given_up_at": given_up_at,
        }
        self.connection.execute(statement("note_attempt"), parameters)

    def unsent(self, given_up_after: datetime) -> list[Notification]:
        """Those that wait for a try, and those given up after a moment; oldest first."""
        with self.connection.cursor(row_factory=class_row(Notification)) as cursor:
            return cursor.execute(statement("unsent_notifications"), {"given_up_after": given_up_after}).fetchall()
