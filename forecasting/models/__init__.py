"""Model families, one file each. A new family is one new file and one line in MODELS.

A family is a torch module that owns its `forward` and knows no trainer:

    forward(inputs: Inputs, target: Tensor | None, forcing: float) -> Tensor [windows, horizon_days, quantiles], ascending

`target` [windows, horizon_days] and `forcing` matter in training only; without them a forward pass sees nothing but its inputs.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from forecasting.models.seq2seq_attention import Seq2SeqAttention
from forecasting.models.weekly_naive import WeeklyNaive
from forecasting.windows import Inputs


class Forecaster(Protocol):
    """What every family offers."""

    def __call__(self, inputs: Inputs, target: torch.Tensor | None = None, forcing: float = 0.0) -> torch.Tensor: ...

    def state_dict(self) -> dict[str, torch.Tensor]: ...


MODELS: Mapping[str, type[torch.nn.Module]] = {
    "seq2seq_attention": Seq2SeqAttention,
    "weekly_naive": WeeklyNaive,
}


def build(family: str, **options: Any) -> torch.nn.Module:
    """A new, untrained model of a family."""
    return MODELS[family](**options)
