"""A fitted model and its one way from history to quantiles in MWh: validation, election and publishing all go through here."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting import calendar, metrics
from forecasting.calibration import Calibration
from forecasting.domain import DAILY, LEVELS, QUANTILES, Resolution
from forecasting.history import WEEK, History
from forecasting.models.base import Forecast, Forecaster
from forecasting.windows import Layout


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

    def calibrated(self, history: History, origins: np.ndarray, raw: Forecast | None = None) -> "FittedModel":
        """The same model with bands as wide as its errors from `origins` ask for, which it has not learnt from.

        Args:
            raw: what `uncalibrated` forecasts from there, where that was made already.
        """
        layout = self.forecaster.layout
        raw = raw or self.forecaster.forecast(history, origins)
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


@dataclass(frozen=True)
class Judged:
    """What a model forecast from some origins and what happened, [origins, steps] in MWh. It is made once: every score and picture
    of a retrain is of it."""

    layout: Layout
    origins: np.ndarray
    forecast: Forecast
    actual: np.ndarray

    @classmethod
    def of(cls, model: FittedModel, history: History, origins: np.ndarray) -> "Judged":
        layout = model.forecaster.layout
        actual = actual_mwh(history, origins, layout.resolution, layout.horizon_steps)
        return cls(layout, origins, model.forecast(history, origins), actual)

    def calibrated(self, model: FittedModel) -> "Judged":
        """The same with the bands that a model, whose raw forecast this is, would publish."""
        return replace(self, forecast=model.calibration.applied(self.forecast))

    @property
    def lead(self) -> np.ndarray:
        """The lead day of each step, from 0: [steps]."""
        lead: np.ndarray = np.arange(self.layout.horizon_steps) // self.layout.per_day
        return lead

    @property
    def quantiles(self) -> np.ndarray:
        """[origins, steps, QUANTILES]"""
        return published_quantiles(self.forecast)

    def score(self, mase_scale_mwh: float) -> Score:
        """MAPE and MASE are of the median."""
        actual, quantiles = self.actual, self.quantiles
        target_days = self.origins[:, None] + self.lead
        newest = target_days > target_days.max() - WEEK
        return Score(
            pinball_mwh=metrics.mean_pinball(actual, quantiles, QUANTILES),
            newest_week_pinball_mwh=metrics.mean_pinball(actual[newest], quantiles[newest], QUANTILES),
            mape_percent=metrics.mape(actual, self.forecast.median),
            mase=metrics.mase(actual, self.forecast.median, mase_scale_mwh),
            coverage_80=metrics.coverage(actual, quantiles[..., 0], quantiles[..., -1]),
            windows=len(self.origins),
        )

    def losses_by_day(self) -> np.ndarray:
        """Pinball loss of each target day in MWh, mean over the published quantiles and the origins that forecast it: [days]."""
        gap, levels = self.actual[..., None] - self.quantiles, np.array(QUANTILES)
        loss = np.maximum(levels * gap, (levels - 1) * gap).mean(axis=-1).ravel()
        day = (self.origins[:, None] + self.lead).ravel() - self.origins[0]
        count = np.bincount(day)
        by_day: np.ndarray = np.bincount(day, loss)[count > 0] / count[count > 0]
        return by_day

    def pinball_by_lead(self) -> list[float]:
        """Mean over the published quantiles and the origins, for each lead day, in MWh."""
        quantiles, days = self.quantiles, range(self.layout.horizon_days)
        return [metrics.mean_pinball(self.actual[:, self.lead == day], quantiles[:, self.lead == day], QUANTILES) for day in days]

    def mape_by_lead(self) -> list[float]:
        """Of the median, for each lead day, in per cent; nan where nothing was used."""
        median, days = self.forecast.median, range(self.layout.horizon_days)
        return [metrics.mape(self.actual[:, self.lead == day], median[:, self.lead == day]) for day in days]

    def shares_below(self) -> dict[float, float]:
        """Share of actual values at or below each of LEVELS."""
        return {level: float((self.actual <= self.forecast.level(level)).mean()) for level in LEVELS}


def score(model: FittedModel, history: History, origins: np.ndarray, mase_scale_mwh: float) -> Score:
    """Score a model from origins of a history."""
    return Judged.of(model, history, origins).score(mase_scale_mwh)


def losses_by_day(model: FittedModel, history: History, origins: np.ndarray) -> np.ndarray:
    """See `Judged.losses_by_day`."""
    return Judged.of(model, history, origins).losses_by_day()


def forecast_frame(model: FittedModel, history: History) -> pd.DataFrame:
    """The forecast of the days after the last one known, of a model of daily resolution.

    Returns:
        one row a lead: lead (1 is the first day after the origin), target_start and target_end (UTC, 23 to 25 hours apart),
        mean and a column for each of LEVELS, such as q02.5 and q50 (MWh a day).
    """
    return frame_of(model.forecast(history, np.array([len(history)])), history)


def frame_of(forecast: Forecast, history: History) -> pd.DataFrame:
    """The frame of a forecast [1, days] from the end of a history; see `forecast_frame`."""
    days = forecast.mean.shape[1]
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
    """The name of a quantile's column: q01, q10, q97.5."""
    return f"q{'0' if level < 0.1 else ''}{100 * level:g}"
