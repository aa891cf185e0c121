"""The daily story in four steps: ingest, retrain and publish each series, which `daily` tells; then watch all of them.

Each step reads data at rest and may be run again at any time. None takes the series' lock: whoever calls them holds it
(`Store.hold`). `as_of` is the moment up to which anything may be known; there is no clock in here.
"""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def silent(what: str, done: int, total: int) -> None:
    """No progress shown."""


STARTED_BY = "FORTNIGHT_STARTED_BY"
"""Environment variable of a run that nobody began by hand."""
