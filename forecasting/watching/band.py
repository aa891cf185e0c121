"""Do the bands still hold what they promise, and do the medians lean? Digest, not page.

Days that follow each other err alike, so the share of days inside the band scatters far more than that of coin tosses. The limits
come from a simulation of a Gaussian first-order autoregression as alike from day to day as the errors themselves; leads of one
group err so much alike that they count as one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from forecasting.drift import State
from forecasting.settings import BandSettings

EDGE = 1.2815515655446004
"""Half the width of the 80 % band of a standard normal distribution."""
TAME = 3.0
DRAWS = 4000
SEED = 20140101
MOST_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Band:
    """One group of leads over the newest days.

    coverage: share inside the 80 % band; low, high: what it should lie between.
    bias: mean of actual less median, as a share of the mean actual: positive where too little was forecast.
    z: the mean error, scaled by the bands, in its standard errors.
    """

    first_lead: int
    last_lead: int
    state: State
    coverage: float | None = None
    low: float | None = None
    high: float | None = None
    bias: float | None = None
    z: float | None = None

    def __str__(self) -> str:
        leads = f"leads {self.first_lead} to {self.last_lead}" if self.last_lead > self.first_lead else f"lead {self.first_lead}"
        if self.coverage is None or self.low is None or self.high is None or self.bias is None:
            return f"{leads}: {self.state}"
        told = f"{leads}: {self.coverage:.0%} of days in the 80 % band (usual: {self.low:.0%} to {self.high:.0%})"
        return f"{told}, actual {self.bias:+.1%} from the median"


def judge_bands(actual: np.ndarray, lower: np.ndarray, median: np.ndarray, upper: np.ndarray, settings: BandSettings) -> list[Band]:
    """Judge groups of leads over the newest `settings.days` target days; those before tell how alike days are.

    Args:
        actual, lower, median, upper: [target days, leads from 1 on] in one unit; rows in order of days, nan where there was no
            forecast. The band is from the 10 % to the 90 % quantile.
    """
    every = np.stack([actual, lower, median, upper])[:, -settings.alike_days :]
    return [
        _judged(first, last, every[..., first - 1 : last], settings)
        for first, last in settings.lead_groups
        if last <= actual.shape[1]
    ]


def _judged(first: int, last: int, every: np.ndarray, settings: BandSettings) -> Band:
    """`every`: actual, lower, median and upper of one group of leads [4, days, leads]."""
    actual, lower, median, upper = every
    whole = np.isfinite(actual + lower + median + upper).all(axis=1)
    if whole.sum() < settings.min_days or not whole[-settings.days :].sum() >= settings.days / 2:
        return Band(first, last, State.TOO_EARLY)
    actual, lower, median, upper = every[:, whole]
    gap = actual - median
    half = np.maximum(np.where(gap > 0, upper - median, median - lower), 1e-12)
    errors = np.clip(EDGE * gap / half, -TAME, TAME).mean(axis=1)
    count = int(whole[-settings.days :].sum())
    alike = _alike(errors)
    low, high = coverage_limits(count, round(alike, 1), settings.tail)
    newest = slice(len(errors) - count, None)
    coverage = float(((actual >= lower) & (actual <= upper))[newest].mean())
    z = float(errors[newest].mean()) / math.sqrt(_variance_of_mean(count, alike))
    bias = float(gap[newest].mean() / max(abs(float(actual[newest].mean())), 1e-12))
    off = not low <= coverage <= high or abs(z) > settings.z_limit
    return Band(first, last, State.UNSETTLED if off else State.STEADY, coverage, low, high, bias, z)


@lru_cache(maxsize=256)
def coverage_limits(days: int, alike: float, tail: float) -> tuple[float, float]:
    """Between what the share of `days` days inside a true 80 % band lies, with a chance of `tail` on either side, where the errors
    of neighbouring days have the autocorrelation `alike`."""
    noise = np.random.default_rng(SEED).standard_normal((days, DRAWS))
    error = np.empty_like(noise)
    error[0] = noise[0]
    for day in range(1, days):
        error[day] = alike * error[day - 1] + math.sqrt(1 - alike**2) * noise[day]
    low, high = np.quantile((np.abs(error) <= EDGE).mean(axis=0), (tail, 1 - tail))
    return float(low), float(high)


def _alike(errors: Sequence[float] | np.ndarray) -> float:
    """Autocorrelation of lag 1, from 0 to MOST_ALIKE."""
    apart = np.asarray(errors) - np.median(errors)
    power = float((apart * apart).mean())
    return min(max(float((apart[1:] * apart[:-1]).mean()) / power, 0.0), MOST_ALIKE) if power > 0 else 0.0


def _variance_of_mean(count: int, alike: float) -> float:
    """Of `count` values of unit variance in a first-order autoregression."""
    return ((1 + alike) / (1 - alike) - 2 * alike * (1 - alike**count) / (count * (1 - alike) ** 2)) / count
