"""Has the validation loss drifted? Pure: losses in, a verdict out.

What is watched is the loss over the newest week as a ratio to weekly naive on the same windows, which takes most of the season
out. The newest ratios are compared, as logarithms, with those of some weeks before by median and median absolute deviation; none
of the days that they cover is among them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from forecasting.settings import DriftSettings

MAD_TO_SD = 1.4826
MIN_SPREAD = 0.05
"""Smallest spread of log ratios that counts: below it, any wiggle would look large."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Validation loss after one retrain and the weekly naive loss on the same windows, in the same unit."""

    as_of: datetime
    model: float
    weekly_naive: float

    @property
    def log_ratio(self) -> float:
        return math.log(max(self.model, 1e-12) / max(self.weekly_naive, 1e-12))


class State(StrEnum):
    TOO_EARLY = "too early to judge"
    STEADY = "steady"
    UNSETTLED = "unsettled"
    """Worth a line in a digest, no alarm."""
    DRIFTING = "drifting"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rise` and `z` are of the newest loss against its reference; empty while there is too little of one."""

    state: State
    rise: float | None = None
    z: float | None = None
    reference: int = 0

    def __str__(self) -> str:
        if self.rise is None or self.z is None:
            return f"{self.state}: {self.reference} earlier losses to compare with"
        return (
            f"{self.state}: loss relative to weekly naive {self.rise:+.0%} (z {self.z:+.1f}) against {self.reference} earlier ones"
        )


def judge(losses: Sequence[Loss], settings: DriftSettings) -> Verdict:
    """Drifting when enough of the most recent losses lie far above their reference, both in spread and in size.

    Args:
        losses: one a day at most, oldest first; the last one is the newest.
    """
    if not losses:
        return Verdict(State.TOO_EARLY)
    now = losses[-1].as_of
    oldest, newest = (now - timedelta(days=days) for days in settings.reference_days)
    reference = [loss.log_ratio for loss in losses if oldest <= loss.as_of <= newest]
    if len(reference) < settings.min_reference:
        return Verdict(State.TOO_EARLY, reference=len(reference))
    level = median(reference)
    spread = max(MAD_TO_SD * median(abs(value - level) for value in reference), MIN_SPREAD)
    recent = [loss.log_ratio - level for loss in losses[-settings.recent :] if loss.as_of > newest]
    high = [gap for gap in recent if gap / spread > settings.z_limit and math.expm1(gap) >= settings.min_rise]
    state = State.DRIFTING if len(high) >= settings.needed else State.STEADY
    gap = losses[-1].log_ratio - level
    return Verdict(state, math.expm1(gap), gap / spread, len(reference))
