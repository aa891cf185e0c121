"""What ails a feed, in words: from counts of quarantine reasons, and from what was refused whole.

The reasons are those of `forecasting.quality` and of the sources, the refusals the messages of `SourceError`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from forecasting.settings import FeedSettings


class Fault(StrEnum):
    """What is wrong with the readings."""

    SCALE = "scale"
    FROZEN = "frozen"
    CLOCK = "clock"
    RANGE = "range"
    DOUBLED = "doubled"
    MALFORMED = "malformed"
    REFUSED = "refused"


KINDS = (
    ("about a thousandfold off", Fault.SCALE),
    ("frozen", Fault.FROZEN),
    ("off the ", Fault.CLOCK),
    ("lies in the future", Fault.CLOCK),
    ("no time", Fault.CLOCK),
    ("naive", Fault.CLOCK),
    ("doubled", Fault.DOUBLED),
    ("far from the usual", Fault.RANGE),
    ("outside", Fault.RANGE),
    ("a spike", Fault.RANGE),
    ("a jump", Fault.RANGE),
)
"""How reasons begin; any other is of a row that could not be read."""

TOLD = {
    Fault.SCALE: ("values about 1000 times too large or too small", "correct the unit or scale in the series' options"),
    Fault.FROZEN: ("the feed is frozen: the same value for hours", "ask the meter's or the feed's operator; then ingest again"),
    Fault.CLOCK: ("times off the grid, missing, or in the future", "check the time zone and interval in the series' options"),
    Fault.RANGE: ("values far from the usual", "look at them in quarantine; if they are true, the series itself has changed"),
    Fault.DOUBLED: ("several values for one time", "ask the feed's operator which one holds"),
    Fault.MALFORMED: ("rows that cannot be read", "look at them in quarantine; the feed's format may have changed"),
    Fault.REFUSED: ("nothing of what the feed gave could be taken", "see the log of ingest; should it last, look at the feed"),
}
THOUSANDFOLD = "thousandfold"
"""A batch that is refused whole for its scale says so."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of fault among the last days' readings; `rows` were quarantined, `refusals` batches refused whole."""

    fault: Fault
    rows: int
    refusals: int
    sentence: str
    remedy: str


def troubles(
    quarantined: Mapping[str, int], due: int, settings: FeedSettings, refusals: Sequence[str] = (), of: str = "demand"
) -> list[Trouble]:
    """The faults that count, the gravest first: those with a refusal, or with enough of the readings due.

    Args:
        quarantined: how many rows were refused in the last days, by reason.
        due: how many readings the series should have had in those days.
        refusals: messages of batches of those days that were refused whole.
        of: the quantity, for the sentence.
    """
    rows, whole = Counter[Fault](), Counter[Fault]()
    for reason, count in quarantined.items():
        rows[fault_of(reason)] += count
    for message in refusals:
        whole[Fault.SCALE if THOUSANDFOLD in message else Fault.REFUSED] += 1
    grave = [fault for fault in Fault if whole[fault] or rows[fault] >= settings.min_share * max(due, 1)]
    found = [_told(fault, rows[fault], whole[fault], due, of) for fault in grave]
    return sorted(found, key=lambda trouble: (-trouble.refusals, -trouble.rows))


def fault_of(reason: str) -> Fault:
    """What a quarantine reason speaks of."""
    return next((fault for beginning, fault in KINDS if reason.startswith(beginning)), Fault.MALFORMED)


def _told(fault: Fault, rows: int, refusals: int, due: int, of: str) -> Trouble:
    what, remedy = TOLD[fault]
    counts = [f"{rows:,} of {due:,} readings in quarantine"] if rows else []
    counts += [f"{refusals:,} {'batch' if refusals == 1 else 'batches'} refused whole"] if refusals else []
    return Trouble(fault, rows, refusals, f"{of}: {what} ({', '.join(counts)})", remedy)
