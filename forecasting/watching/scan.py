"""Has the level of a daily series risen, and since when? A scan over all recent windows at once.

For every window of the newest w days the mean of the residuals, in units of its own standard error, is the likelihood ratio of a
shift that began w days ago (generalised likelihood ratio: Siegmund and Venkatraman 1995). The largest one is the evidence, its
window says when. Level and spread come from the days before by median and median absolute deviation; neighbouring days that err
alike widen the standard error as in a first-order autoregression.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from forecasting.drift import MAD_TO_SD, State
from forecasting.settings import ScanSettings

TAIL = 3.0
"""Residuals of the reference count at most so many spreads when their likeness from day to day is measured."""
MOST_ALIKE = 0.6
"""A larger likeness of neighbouring days comes from a level that moved within the reference."""


@dataclass(frozen=True, slots=True)
class Rise:
    """What a scan found.

    rise: by how much the level of the window lies above the reference: 0.5 is half as much again.
    z: the evidence in standard errors, of the most telling window.
    since: its first day.
    reference: how many days it was compared with.

    All but the last are empty while there is too little to compare with.
    """

    state: State
    rise: float | None = None
    z: float | None = None
    since: date | None = None
    reference: int = 0

    def __str__(self) -> str:
        if self.rise is None or self.z is None or self.since is None:
            return f"{self.state}: {self.reference} earlier days to compare with"
        return f"{self.state}: {self.rise:+.0%} since {self.since:%F} (z {self.z:+.1f})"


def scan(days: Sequence[date], logs: np.ndarray, settings: ScanSettings) -> Rise:
    """Judge the newest day by itself and all before it.

    Args:
        days: ascending, holes allowed; the last is the newest.
        logs: logarithms of what is watched [days], finite.
    """
    if not len(days):
        return Rise(State.TOO_EARLY)
    oldest, newest = (days[-1] - timedelta(days=ago) for ago in settings.reference_days)
    earlier = np.array([oldest <= day <= newest for day in days])
    window = [at for at, day in enumerate(days) if day > days[-1] - timedelta(days=settings.window_days)]
    known = int(earlier.sum())
    if known < settings.min_reference or len(window) < settings.shortest:
        return Rise(State.TOO_EARLY, reference=known)
    level, spread, alike = _usual(logs[earlier], settings.min_spread)
    gaps = (logs[window] - level)[::-1]
    width = np.arange(1, len(gaps) + 1)
    error = np.sqrt(width * _inflation(width, alike))
    score = np.cumsum(np.clip(gaps / spread, -settings.most_a_day, settings.most_a_day)) / error
    rise = np.expm1(np.array([np.median(gaps[:w]) for w in width]))
    lately = np.array([np.median(gaps[: min(w, settings.lately_days)]) for w in width])
    grave = (width >= settings.shortest) & (rise >= settings.min_rise) & (lately >= math.log1p(settings.min_rise) / 2)
    shown = grave if grave.any() else width >= settings.shortest
    best = int(np.argmax(np.where(shown, score, -np.inf)))
    state = State.DRIFTING if grave[best] and score[best] > settings.z_limit else State.STEADY
    if state is State.STEADY and grave[best] and score[best] > settings.z_digest:
        state = State.UNSETTLED
    return Rise(state, float(rise[best]), float(score[best]), days[window[-1 - best]], known)


def _usual(reference: np.ndarray, min_spread: float) -> tuple[float, float, float]:
    """Level, spread, and how alike neighbouring days are (autocorrelation of lag 1, from 0 to MOST_ALIKE)."""
    level = float(np.median(reference))
    spread = max(MAD_TO_SD * float(np.median(np.abs(reference - level))), min_spread)
    tame = np.clip((reference - level) / spread, -TAIL, TAIL)
    power = float((tame * tame).mean())
    alike = min(max(float((tame[1:] * tame[:-1]).mean()) / power, 0.0), MOST_ALIKE) if power > 0 else 0.0
    return level, spread * max(1.0, math.sqrt(power)), alike


def _inflation(width: np.ndarray, alike: float) -> np.ndarray:
    """By how much a first-order autoregression widens the variance of the mean of `width` days."""
    found: np.ndarray = (1 + alike) / (1 - alike) - 2 * alike * (1 - alike**width) / (width * (1 - alike) ** 2)
    return found
