"""Model families, one file each. A new family is one new file and one line in MODELS.

A family is a torch module that owns its `forward` and knows no trainer:

    forward(inputs: Inputs, target: Tensor | None, forcing: float) -> Tensor [windows, horizon_days, quantiles], ascending
    options(settings: ModelSettings) -> the keyword arguments to build it with, as they are written on its card

`target` [windows, horizon_days] and `forcing` matter in training only; without them a forward pass sees nothing but its inputs.
"""

from collections.abc import Mapping
from typing import Any

import torch

from forecasting.models.seq2seq_attention import Seq2SeqAttention
from forecasting.models.weekly_naive import WeeklyNaive

MODELS: Mapping[str, type[Seq2SeqAttention] | type[WeeklyNaive]] = {
    "seq2seq_attention": Seq2SeqAttention,
    "weekly_naive": WeeklyNaive,
}


def build(family: str, **options: Any) -> torch.nn.Module:
    """A new, untrained model of a family.

    Raises:
        KeyError: no such family.
        TypeError: options that it does not take.
    """
    return MODELS[family](**options)
