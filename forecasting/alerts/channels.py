"""Sending through apprise: mail, chats, pagers, webhooks. The only file that imports it.

An address is a secret. Apprise writes parts of it into its log, so that log goes nowhere but into our own message, redacted.
"""

import logging
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from forecasting.errors import DeliveryError

LONGEST_REASON = 300
SHORTEST_SECRET = 3
TYPES = {"firing": "failure", "escalated": "failure", "digest": "warning", "resolved": "success", "test": "info"}

_theirs = logging.getLogger("apprise")
_theirs.propagate = False
_theirs.addHandler(logging.NullHandler())


def send(address: str, kind: str, subject: str, body: str, picture: str | None) -> None:
    """Send one message, with its picture if that is still there.

    Raises:
        DeliveryError: the address is no apprise URL, or the message was not taken.
    """
    import apprise  # seconds of plug-ins, which most commands do without

    remedy = "look at the channel's apprise URL in the environment, and try it with 'fortnight notify --test'"
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as told:
        ways = apprise.Apprise()
        if not ways.add(address):
            raise DeliveryError(f"the address is no apprise URL: {_reason(told.getvalue(), address)}", remedy)
        attached = picture if picture is not None and Path(picture).is_file() else None
        try:
            taken = ways.notify(
                body, subject, notify_type=apprise.NotifyType(TYPES[kind]), body_format=apprise.NotifyFormat.TEXT, attach=attached
            )
            reason = told.getvalue()
        except Exception as error:  # noqa: BLE001 - whatever a plug-in of theirs stumbles over, the message waits
            taken, reason = False, f"{type(error).__name__}: {error}"
    if not taken:
        raise DeliveryError(f"the message was not taken: {_reason(reason, address)}", remedy)


def _reason(told: str, address: str) -> str:
    return redacted(" ".join(told.split()), address)[:LONGEST_REASON] or "no reason given"


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
