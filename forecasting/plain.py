"""Text of other people, made harmless: for terminals and logs, which obey control characters, and for what is typed in."""

import re

from forecasting.errors import SettingsError, printable

LONGEST_REMARK = 1000
LONGEST_NAME = 200


def require_plain(text: str, what: str, longest: int = LONGEST_REMARK) -> str:
    """A text of one line that can be stored and shown as it is, without blanks around it.

    Raises:
        SettingsError: it is empty or too long, or holds line breaks or other control characters.
    """
    told = text.strip()
    if not told:
        raise SettingsError(f"{what} is empty", "say something")
    if len(told) > longest:
        raise SettingsError(f"{what} has {len(told):,} characters", f"use at most {longest:,}")
    if told != printable(told):
        raise SettingsError(f"{what} {printable(told)[:80]!r} holds control characters or line breaks", "write it as plain text")
    return told


def readable(text: str) -> str:
    """`printable`, but with its line breaks and tabs."""
    return re.sub(r"[^\n\t]+", lambda found: printable(found[0]), text)
