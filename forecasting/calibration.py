"""Bands as wide as recent out-of-sample errors ask for, by lead time."""

from dataclasses import dataclass

import numpy as np

from forecasting.domain import LEVELS
from forecasting.models.base import MIDDLE, Forecast

NO_BAND = 1e-3
"""A half-width below this share of the mean one is no band: errors measured in it would be without bounds."""
REACH_DAYS = 3
"""Leads at most so many days apart lend each other their errors."""
TAIL = 0.05
"""Few errors lie in the outermost tails: levels beyond this one are widened like it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What each half of each band is multiplied by: `factors` [lead days, LEVELS], 1 at the median."""

    factors: tuple[tuple[float, ...], ...]

    @classmethod
    def none(cls, horizon_days: int) -> "Calibration":
        """Bands as the model made them."""
        return cls(((1.0,) * len(LEVELS),) * horizon_days)

    @classmethod
    def fit(cls, forecast: Forecast, actual: np.ndarray, per_day: int) -> "Calibration":
        """Split conformal prediction with the error measured in half-widths of the model's own band (Romano, Patterson and Candes
        2019), on each side by itself and by lead, each lead with its neighbours' errors; a band is never made narrower.

        Args:
            forecast: uncalibrated, from origins that the model has not learnt from.
            actual: [origins, steps], in the unit of the forecast.
            per_day: steps a day.
        """
        half = forecast.quantiles - forecast.median[..., None]  # negative below the median, as the errors there are
        error = (actual - forecast.median)[..., None]
        least = NO_BAND * np.abs(half).mean(axis=(0, 1))
        lead = np.arange(actual.shape[1]) // per_day
        factors = np.ones((lead[-1] + 1, len(LEVELS)))
        for day in range(len(factors)):
            near = np.abs(lead - day) <= REACH_DAYS
            for i, level in enumerate(LEVELS):
                wide = np.abs(half[:, near, i]) > least[i]
                if i == MIDDLE or not TAIL <= level <= 1 - TAIL or not wide.any():
                    continue
                ratio = (error[:, near, 0])[wide] / half[:, near, i][wide]
                factors[day, i] = max(1.0, float(np.quantile(ratio, max(level, 1 - level))))
        first, last = LEVELS.index(TAIL), LEVELS.index(1 - TAIL)
        factors[:, :first], factors[:, last + 1 :] = factors[:, [first]], factors[:, [last]]
        return cls(tuple(tuple(row) for row in factors.tolist()))

    def applied(self, forecast: Forecast) -> Forecast:
        """The forecast with its bands widened, still ascending; the mean stays, since a wider band says nothing of it."""
        median = forecast.median[..., None]
        factors = np.repeat(np.array(self.factors), -(-forecast.mean.shape[1] // len(self.factors)), axis=0)[
            : forecast.mean.shape[1]
        ]
        spread = (forecast.quantiles - median) * factors
        spread[..., MIDDLE:] = np.maximum.accumulate(spread[..., MIDDLE:], axis=-1)
        spread[..., : MIDDLE + 1] = np.minimum.accumulate(spread[..., MIDDLE::-1], axis=-1)[..., ::-1]
        return Forecast(forecast.mean, median + spread, forecast.peak)
