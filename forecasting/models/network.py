"""What the recurrent families share: windows in, quantiles of every step out, fitted by the one training loop."""

import numpy as np
import torch
from torch import Tensor

from forecasting.domain import LEVELS
from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.models.base import EpochReport, Forecast, Forecaster, mean_of
from forecasting.settings import TrainingSettings
from forecasting.training import train
from forecasting.windows import Inputs, Layout, Scaler, Steps, windows_between


def pinball_loss(quantiles: Tensor, target: Tensor) -> Tensor:
    """Mean pinball loss. quantiles [B, H, LEVELS], target [B, H]; scalar."""
    gap = target[..., None] - quantiles
    levels = torch.tensor(LEVELS)
    return torch.maximum(levels * gap, (levels - 1) * gap).mean()


class Network(Forecaster):
    """A family owns its `forward` and knows no trainer:

        forward(inputs: Inputs, target: Tensor | None, forcing: float) -> Tensor [windows, horizon_steps, LEVELS], ascending

    `target` [windows, horizon_steps] and `forcing` matter in training only; without them a forward pass sees nothing but its
    inputs.
    """

    scale: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.register_buffer("scale", torch.tensor([0.0, 1.0], dtype=torch.float64))

    @property
    def scaler(self) -> Scaler:
        return Scaler(*self.scale.tolist())

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What training minimises: output of `forward`, target [B, H], scaled."""
        return pinball_loss(output, target)

    def learn(self, history: History, until: int, training: TrainingSettings, report: EpochReport) -> None:
        """Fit on every window whose targets lie before `until`; those after it, a day apart, are validated on."""
        layout = self.layout
        steps = Steps.of(history, layout)
        last = until * layout.per_day
        scaler = Scaler.fit(steps.energy_mwh[:last])
        self.scale = torch.tensor([scaler.mean_mwh, scaler.sd_mwh], dtype=torch.float64)
        fitted = windows_between(steps, 0, last, scaler)
        held_out = windows_between(steps, last, len(steps), scaler, stride=layout.per_day)
        if not len(fitted):
            raise HistoryError(f"series {history.series.series_id} has no whole window to train on", "bring older readings")
        train(self, fitted, held_out, training, report)

    def inputs(self, history: History, positions: np.ndarray) -> Inputs:
        """The inputs of forecasts from the beginnings of days."""
        steps = Steps.of(history, self.layout)
        scaled = self.scaler.scale(steps.energy_mwh).astype(np.float32)
        return steps.inputs_at(positions * self.layout.per_day, scaled)

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        steps = Steps.of(history, self.layout)
        self.eval()
        with torch.no_grad():
            output = self(self.inputs(history, positions)).double().numpy()
        quantiles = self.scaler.unscale(output)
        if self.whole_days:
            ahead = positions[:, None] + np.arange(self.layout.horizon_steps)
            quantiles = quantiles * steps.share[ahead][..., None]
        return Forecast(mean_of(quantiles), quantiles)
