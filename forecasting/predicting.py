"""A fitted model and its one way from history to quantiles in MWh: validation, election and publishing all go through here."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting import calendar, metrics
from forecasting.calibration import Calibration
from forecasting.domain import DAILY, LEVELS, QUANTILES, Resolution
from forecasting.history import WEEK, History
from forecasting.models.base import Forecast, Forecaster


@dataclass(frozen=True)
class FittedModel:
    """A fitted forecaster with the correction of its bands."""

    family: str
    forecaster: Forecaster
    calibration: Calibration

    @classmethod
    def raw(cls, family: str, forecaster: Forecaster) -> "FittedModel":
        """Its bands as the model made them."""
        return cls(family, forecaster, Calibration.none(forecaster.layout.horizon_days))

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        """From the beginnings of the days at `positions`; see `Forecaster.forecast`."""
        return self.calibration.applied(self.forecaster.forecast(history, positions))

    def uncalibrated(self) -> "FittedModel":
        """The same model with its bands as trained. Scores that are compared are of these: calibration has seen the windows."""
        return self.raw(self.family, self.forecaster)

    def calibrated(self, history: History, origins: np.ndarray) -> "FittedModel":
        """The same model with bands as wide as its errors from `origins` ask for, which it has not learnt from."""
        layout = self.forecaster.layout
        raw = self.forecaster.forecast(history, origins)
        actual = actual_mwh(history, origins, layout.resolution, layout.horizon_steps)
        return replace(self, calibration=Calibration.fit(raw, actual, layout.per_day))


@dataclass(frozen=True, slots=True)
class Score:
    """How a forecaster did on a set of origins. `pinball_mwh` is the validation loss: mean over the published quantiles.

    `newest_week_pinball_mwh` is the same over the last seven target days only, which is what drift is judged by: all windows of
    one day's retrain are those of the day before but one.
    """

    pinball_mwh: float
    newest_week_pinball_mwh: float
    mape_percent: float
    mase: float
    coverage_80: float
    windows: int


def actual_mwh(history: History, origins: np.ndarray, resolution: Resolution, steps: int) -> np.ndarray:
    """What happened after the beginnings of days, in MWh a day or a slot: [origins, steps]."""
    if resolution == DAILY:
        found: np.ndarray = history.energy_mwh[origins[:, None] + np.arange(steps)]
    else:
        found = history.demand_mwh.ravel()[(origins * history.slots)[:, None] + np.arange(steps)]
    return found


def published_quantiles(forecast: Forecast) -> np.ndarray:
    """[origins, steps, QUANTILES]"""
    return np.stack([forecast.level(level) for level in QUANTILES], axis=-1)


def score(model: FittedModel, history: History, origins: np.ndarray, mase_scale_mwh: float) -> Score:
    """Score a model from origins of a history; MAPE and MASE are of the median."""
    layout = model.forecaster.layout
    actual = actual_mwh(history, origins, layout.resolution, layout.horizon_steps)
    forecast = model.forecast(history, origins)
    quantiles = published_quantiles(forecast)
    target_days = origins[:, None] + np.arange(layout.horizon_steps) // layout.per_day
    newest = target_days > target_days.max() - WEEK
    return Score(
        pinball_mwh=metrics.mean_pinball(actual, quantiles, QUANTILES),
        newest_week_pinball_mwh=metrics.mean_pinball(actual[newest], quantiles[newest], QUANTILES),
        mape_percent=metrics.mape(actual, forecast.median),
        mase=metrics.mase(actual, forecast.median, mase_scale_mwh),
        coverage_80=metrics.coverage(actual, quantiles[..., 0], quantiles[..., -1]),
        windows=len(origins),
    )


def losses_by_day(model: FittedModel, history: History, origins: np.ndarray) -> np.ndarray:
    """Pinball loss of each target day in MWh, mean over the published quantiles and the origins that forecast it: [days]."""
    layout = model.forecaster.layout
    actual = actual_mwh(history, origins, layout.resolution, layout.horizon_steps)
    gap = actual[..., None] - published_quantiles(model.forecast(history, origins))
    levels = np.array(QUANTILES)
    loss = np.maximum(levels * gap, (levels - 1) * gap).mean(axis=-1).ravel()
    day = (origins[:, None] + np.arange(layout.horizon_steps) // layout.per_day).ravel() - origins[0]
    count = np.bincount(day)
    by_day: np.ndarray = np.bincount(day, loss)[count > 0] / count[count > 0]
    return by_day


def forecast_frame(model: FittedModel, history: History) -> pd.DataFrame:
    """The forecast of the days after the last one known, of a model of daily resolution.

    Returns:
        one row a lead: lead (1 is the first day after the origin), target_start and target_end (UTC, 23 to 25 hours apart),
        mean and a column for each of LEVELS, such as q2.5 and q50 (MWh a day).
    """
    forecast = model.forecast(history, np.array([len(history)]))
    days = model.forecaster.layout.horizon_days
    bounds = [
        calendar.day_bounds((history.days[-1] + pd.Timedelta(days=lead)).date(), history.series.zone) for lead in range(1, days + 1)
    ]
    return pd.DataFrame(
        {
            "lead": np.arange(1, days + 1),
            "target_start": [start for start, _ in bounds],
            "target_end": [end for _, end in bounds],
            "mean": forecast.mean[0],
            **{column(level): forecast.quantiles[0, :, i] for i, level in enumerate(LEVELS)},
        }
    )


def column(level: float) -> str:
    """The name of a quantile's column: q10, q97.5."""
    return f"q{100 * level:g}"
