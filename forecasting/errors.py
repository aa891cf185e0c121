"""What can go wrong for reasons outside the code. Every message names the thing and its value, and ends with the remedy."""

import re

UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks and changes of direction among them, and halves of surrogate pairs."""
EX_TEMPFAIL = 75
"""Exit status for "try again later" (sysexits.h)."""


def printable(text: str) -> str:
    """A text on one line, with what a terminal would obey instead of show written as in Python: `\\x1b` for escape."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class FortnightError(Exception):
    """Base of all expected errors; the command line shows it as one line.

    Args:
        problem: what is wrong, with the offending value.
        remedy: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, remedy: str) -> None:
        problem, remedy = printable(problem), printable(remedy)  # a feed's own words may be among them
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["FortnightError"], tuple[str, str]]:
        return type(self), (self.problem, self.remedy)


class SettingsError(FortnightError):
    """A setting, an option or an environment variable is unknown, missing or malformed."""


class SourceError(FortnightError):
    """A demand source cannot be read, or what it delivered breaks its contract as a whole."""


class HistoryError(FortnightError):
    """The readings known at the as-of time do not support a forecast: too few, too old, or too full of gaps."""


class StoreError(FortnightError):
    """Postgres cannot be reached, cannot live where it was told to, or refuses what was asked."""


class Unreachable(StoreError):  # noqa: N818 - a state that callers treat apart
    """Postgres does not answer."""


class ConnectionLost(Unreachable):
    """Postgres went away in the middle of work, none of which is half-written."""


class RegistryError(FortnightError):
    """MLflow cannot be reached, or holds no usable champion."""


class WeightsError(RegistryError):
    """A stored model is not the one that was registered: its digest differs."""


class TrainingError(FortnightError):
    """A model could not be fitted."""


class FlowError(FortnightError):
    """Prefect cannot be reached. The same jobs run without it."""


class PublishError(FortnightError):
    """A forecast is incomplete, not finite or out of order, and was kept from consumers."""


class DeliveryError(FortnightError):
    """An alert channel did not take a message. Addresses never stand in it."""


class BackupError(FortnightError):
    """A backup is damaged or none at all, or cannot be made or put where it was told to."""


class AlreadyRunning(FortnightError):  # noqa: N818 - a state that callers treat apart, not a fault
    """Another run holds this series."""

    exit_code = EX_TEMPFAIL
