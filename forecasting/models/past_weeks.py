"""The same time of the last week, or the mean of the last few: the baselines that must be beaten."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from forecasting.domain import LEVELS
from forecasting.errors import TrainingError
from forecasting.history import History
from forecasting.models.base import MIDDLE, EpochReport, Forecast, Forecaster, mean_of
from forecasting.settings import TrainingSettings
from forecasting.windows import Layout, Scaler, Steps, windows_between


class PastWeeks(Forecaster):
    """Each coming step repeats the mean of the same steps of the last `weeks` weeks, with bands from its own errors by step.

    With one week it is the seasonal naive forecast (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.2).
    """

    offsets_mwh: Tensor

    def __init__(self, layout: Layout, weeks: int) -> None:
        super().__init__(replace(layout, past_steps=max(layout.past_steps, weeks * layout.season)))
        self.weeks = weeks
        self.register_buffer("offsets_mwh", torch.zeros(layout.horizon_steps, len(LEVELS), dtype=torch.float64))

    def learn(self, history: History, until: int, training: TrainingSettings, report: EpochReport) -> None:  # noqa: ARG002
        """Take the bands from the errors of the days before `until`; the median stays the mean of the weeks itself."""
        layout = self.layout
        steps = Steps.of(history, layout)
        windows = windows_between(steps, 0, until * layout.per_day, Scaler(0.0, 1.0), stride=layout.per_day)
        begins = windows.positions
        if not len(begins):
            raise TrainingError(
                f"series {history.series.series_id} has no whole window after its first {self.weeks} weeks", "bring older readings"
            )
        actual = steps.energy_mwh[begins[:, None] + np.arange(layout.horizon_steps)]
        offsets = np.quantile(actual - self._point(steps, begins), LEVELS, axis=0).T  # [steps, levels]
        offsets[:, MIDDLE] = 0
        offsets[:, :MIDDLE] = offsets[:, :MIDDLE].clip(max=0)
        offsets[:, MIDDLE:] = offsets[:, MIDDLE:].clip(min=0)
        self.offsets_mwh = torch.from_numpy(offsets.copy())

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        steps = Steps.of(history, self.layout)
        begins = positions * self.layout.per_day
        self.layout.require_past(begins)
        quantiles = self._point(steps, begins)[..., None] + self.offsets_mwh.numpy()
        if self.whole_days:
            ahead = begins[:, None] + np.arange(self.layout.horizon_steps)
            quantiles = quantiles * steps.share[ahead][..., None]
        return Forecast(mean_of(quantiles), quantiles)

    def _point(self, steps: Steps, begins: np.ndarray) -> np.ndarray:
        """[origins, steps]"""
        season = self.layout.season
        within = np.arange(self.layout.horizon_steps) % season - season
        weeks = [steps.energy_mwh[begins[:, None] + within - week * season] for week in range(self.weeks)]
        mean: np.ndarray = np.mean(weeks, axis=0)
        return mean
