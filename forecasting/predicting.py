"""A fitted model and its one way from history to quantiles in MWh: validation, election and publishing all go through here."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from forecasting import calendar, metrics
from forecasting.domain import QUANTILES
from forecasting.history import WEEK, History
from forecasting.windows import Scaler, Windows, WindowSpec, inputs_at

MIDDLE = len(QUANTILES) // 2
NO_BAND = 1e-3
"""A half-width below this share of the scaler's sd is no band: errors measured in it would be without bounds."""
SWANSON = (0.3, 0.4, 0.3)
"""Weights that turn the 10, 50 and 90 % quantiles into a mean (Swanson's rule; Keefer and Bodily 1983)."""


@dataclass(frozen=True)
class FittedModel:
    """A network with all that it needs to be used. `widening` [quantiles]: what calibration multiplies each band's width by."""

    family: str
    network: nn.Module
    spec: WindowSpec
    scaler: Scaler
    widening: tuple[float, ...] = (1.0,) * len(QUANTILES)

    def quantiles_mwh(self, history: History, positions: np.ndarray) -> np.ndarray:
        """Quantiles of the windows whose first target days are at `positions`.

        Returns:
            float64 [windows, horizon_days, quantiles], MWh a day, ascending.
        """
        self.network.eval()
        with torch.no_grad():
            scaled = self.network(inputs_at(history, positions, self.spec, self.scaler)).double().numpy()
        middle = scaled[..., MIDDLE : MIDDLE + 1]
        return self.scaler.unscale(middle + (scaled - middle) * np.asarray(self.widening))

    def uncalibrated(self) -> "FittedModel":
        """The same model with its bands as trained. Scores that are compared are of these: calibration has seen the windows."""
        return replace(self, widening=(1.0,) * len(QUANTILES))

    def calibrated(self, history: History, validation: Windows) -> "FittedModel":
        """The same model with bands as wide as its out-of-sample errors ask for.

        Split conformal prediction with the error measured in half-widths of the model's own band (Romano et al. 2019), on each
        side by itself and pooled over leads; a band is never made narrower.
        """
        raw = self.uncalibrated().quantiles_mwh(history, validation.positions)
        error = actual_mwh(history, validation) - raw[..., MIDDLE]
        widening = [1.0] * len(QUANTILES)
        for i, level in enumerate(QUANTILES):
            half = raw[..., i] - raw[..., MIDDLE]  # negative below the median, as the errors there are
            wide = np.abs(half) > NO_BAND * self.scaler.sd_mwh
            if wide.any():
                widening[i] = max(1.0, float(np.quantile(error[wide] / half[wide], max(level, 1 - level))))
        return replace(self, widening=tuple(widening))


@dataclass(frozen=True, slots=True)
class Score:
    """How a forecaster did on a set of windows. `pinball_mwh` is the validation loss: mean over the published quantiles.

    `newest_week_pinball_mwh` is the same over the last seven target days only, which is what drift is judged by: all windows of
    one day's retrain are those of the day before but one.
    """

    pinball_mwh: float
    newest_week_pinball_mwh: float
    mape_percent: float
    mase: float
    coverage_80: float
    windows: int


def actual_mwh(history: History, windows: Windows) -> np.ndarray:
    """What happened on the target days: [windows, horizon_days]."""
    return history.energy_mwh[windows.positions[:, None] + np.arange(windows.target.shape[1])]


def score(model: FittedModel, history: History, windows: Windows, mase_scale_mwh: float) -> Score:
    """Score a model on windows of a history; MAPE and MASE are of the median."""
    actual = actual_mwh(history, windows)
    forecast = model.quantiles_mwh(history, windows.positions)
    target_days = windows.positions[:, None] + np.arange(actual.shape[1])
    newest = target_days > target_days.max() - WEEK
    return Score(
        pinball_mwh=metrics.mean_pinball(actual, forecast, QUANTILES),
        newest_week_pinball_mwh=metrics.mean_pinball(actual[newest], forecast[newest], QUANTILES),
        mape_percent=metrics.mape(actual, forecast[..., MIDDLE]),
        mase=metrics.mase(actual, forecast[..., MIDDLE], mase_scale_mwh),
        coverage_80=metrics.coverage(actual, forecast[..., 0], forecast[..., -1]),
        windows=len(windows),
    )


def forecast_frame(model: FittedModel, history: History) -> pd.DataFrame:
    """The forecast of the days after the last one known.

    Returns:
        one row a lead: lead (1 is the first day after the origin), target_start and target_end (UTC, 23 to 25 hours apart),
        mean, q10, q50, q90 (MWh a day).
    """
    now = np.array([len(history)])
    quantiles = model.quantiles_mwh(history, now)[0]
    mean = model.uncalibrated().quantiles_mwh(history, now)[0] @ np.array(SWANSON)  # a wider band says nothing of the mean
    bounds = [
        calendar.day_bounds((history.days[-1] + pd.Timedelta(days=lead)).date(), history.series.zone)
        for lead in range(1, model.spec.horizon_days + 1)
    ]
    return pd.DataFrame(
        {
            "lead": np.arange(1, model.spec.horizon_days + 1),
            "target_start": [start for start, _ in bounds],
            "target_end": [end for _, end in bounds],
            "mean": mean,
            **{f"q{level * 100:.0f}": quantiles[:, i] for i, level in enumerate(QUANTILES)},
        }
    )
