"""Sending through apprise: mail, chats, pagers, webhooks. The only file that imports it.

An address is a secret. Apprise writes parts of it into its log, so that log goes nowhere but into our own message, redacted.
"""

import logging
from pathlib import Path
from threading import get_ident
from urllib.parse import parse_qsl, unquote, urlsplit

from forecasting.errors import DeliveryError, printable

LONGEST_REASON = 300
SHORTEST_SECRET = 3
TYPES = {"firing": "failure", "escalated": "failure", "digest": "warning", "resolved": "success", "test": "info"}

_theirs = logging.getLogger("apprise")
_theirs.propagate = False
_theirs.setLevel(logging.WARNING)


class _Overheard(logging.Handler):
    """What apprise says in this thread: in another one it may speak of another address."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.told.append(record.getMessage())


def send(address: str, kind: str, subject: str, body: str, picture: str | None) -> None:
    """Send one message, with its picture if that is still there.

    Raises:
        DeliveryError: the address is no apprise URL, or the message was not taken.
    """
    overheard = _Overheard()
    _theirs.addHandler(overheard)
    try:
        problem = _sent(address, kind, subject, body, picture)
    finally:
        _theirs.removeHandler(overheard)
    if problem is not None:
        reason = redacted(" ".join(" ".join((problem, *overheard.told)).split()), address)[:LONGEST_REASON]
        raise DeliveryError(
            reason, "look at the channel's apprise URL in the environment, and try it with 'fortnight notify --test'"
        )


def _sent(address: str, kind: str, subject: str, body: str, picture: str | None) -> str | None:
    """What went wrong, as far as apprise tells; None if nothing did."""
    import apprise  # seconds of plug-ins, which most commands do without

    ways = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))  # a message goes where it was addressed to
    attached = picture if picture is not None and Path(picture).is_file() else None
    try:
        if not ways.add(address):
            return "the address is no apprise URL:"
        taken = ways.notify(
            body,
            printable(subject),
            notify_type=apprise.NotifyType(TYPES[kind]),
            body_format=apprise.NotifyFormat.TEXT,
            attach=attached,
        )
    except Exception as error:  # noqa: BLE001 - whatever a plug-in of theirs stumbles over, the message waits
        return f"the message was not taken: {type(error).__name__}: {error}"
    return None if taken else "the message was not taken:"


def redacted(text: str, address: str) -> str:
    """A text without the address, nor any part of it but the scheme."""
    parts = urlsplit(address)
    pieces = {address, parts.netloc, parts.path, parts.query, *parts.path.split("/")}
    for piece in parts.netloc.split("@"):
        pieces |= {piece, *piece.split(":")}
    pieces |= {value for _, value in parse_qsl(parts.query)}
    pieces |= {unquote(piece) for piece in pieces}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= SHORTEST_SECRET:
            text = text.replace(piece, "***")
    return text
