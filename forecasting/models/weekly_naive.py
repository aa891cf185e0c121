"""The weekly naive forecast: each coming day repeats the same weekday of the last week. The baseline that must be beaten."""

from typing import Any

import torch
from torch import Tensor, nn

from forecasting.domain import QUANTILES
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs, Windows


class WeeklyNaive(nn.Module):
    """The last seven days, repeated, with bands from its own past errors by lead.

    Args:
        horizon_days: number of leads.
    """

    offsets: Tensor

    def __init__(self, horizon_days: int) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.zeros(horizon_days, len(QUANTILES)))

    @staticmethod
    def options(settings: ModelSettings) -> dict[str, Any]:
        """What to build it with."""
        return {"horizon_days": settings.horizon_days}

    def fit(self, train: Windows) -> "WeeklyNaive":
        """Take the bands from the errors on the training windows; the median stays the naive value itself."""
        error = train.target - self.point(train.inputs)  # [N, H]
        offsets = torch.quantile(error, torch.tensor(QUANTILES), dim=0).T  # [H, Q]
        offsets[:, len(QUANTILES) // 2] = 0
        lower, upper = offsets[:, : len(QUANTILES) // 2], offsets[:, len(QUANTILES) // 2 + 1 :]
        self.offsets = torch.cat([lower.clamp(max=0), torch.zeros(len(offsets), 1), upper.clamp(min=0)], dim=1)
        return self

    def point(self, inputs: Inputs) -> Tensor:
        """[B, H]"""
        leads = torch.arange(inputs.future.shape[1])
        return inputs.past[:, -7 + leads % 7, 0]

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:  # noqa: ARG002
        """[B, H, quantiles]"""
        return self.point(inputs)[..., None] + self.offsets
