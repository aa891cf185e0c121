"""Sequence to sequence with attention: an RNN reads the past, another writes the coming steps, looking back at each of them."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from forecasting.models.seq2seq import Seq2Seq
from forecasting.models.stacked import Linear, steps_of
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs, Layout


class Attention(nn.Module):
    """Scores past steps: what of a score does not depend on the coming step is made once, by `prepare`."""

    def prepare(self, keys: Tensor) -> Tensor:
        """keys [seeds, N, hidden, B] -> the same shape."""
        raise NotImplementedError

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        """query [seeds, hidden, B] -> weights [seeds, N, B], which sum to 1 over the past steps."""
        raise NotImplementedError


class MultiplicativeAttention(Attention):
    """Luong et al. 2015, "general" score: query . W key."""

    def __init__(self, seeds: int, hidden: int) -> None:
        super().__init__()
        self.project = Linear(seeds, hidden, hidden, bias=False)

    def prepare(self, keys: Tensor) -> Tensor:
        return steps_of(self.project.weight, None, keys)

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        return torch.softmax((query[:, None] * prepared).sum(dim=2), dim=1)


class AdditiveAttention(Attention):
    """Bahdanau et al. 2015: v . tanh(W query + U key).

    tanh(x) is 2 sigmoid(2 x) - 1, a softmax does not see the constant, and sigmoids take a quarter of the time: so weights are
    those of 2 v . sigmoid(2 (W query + U key)).
    """

    def __init__(self, seeds: int, hidden: int) -> None:
        super().__init__()
        self.query = Linear(seeds, hidden, hidden, bias=False)
        self.key = Linear(seeds, hidden, hidden)
        self.score = Linear(seeds, hidden, 1, bias=False)

    def prepare(self, keys: Tensor) -> Tensor:
        assert self.key.bias is not None
        return steps_of(2 * self.key.weight, 2 * self.key.bias, keys)

    def forward(self, query: Tensor, prepared: Tensor) -> Tensor:
        energy = torch.sigmoid((2 * self.query(query))[:, None] + prepared)
        return torch.softmax(steps_of(2 * self.score.weight, None, energy)[:, :, 0], dim=1)


class Seq2SeqAttention(Seq2Seq):
    """`Seq2Seq` whose decoder also reads an attended context of the encoder's states.

    Args:
        attention: how encoder states are scored.
        common: see `Common`.
    """

    looks = True

    def __init__(self, layout: Layout, attention: Literal["additive", "multiplicative"], **common: Any) -> None:
        super().__init__(layout, context=common["hidden"], **common)
        kinds: dict[str, type[AdditiveAttention | MultiplicativeAttention]] = {
            "additive": AdditiveAttention,
            "multiplicative": MultiplicativeAttention,
        }
        self.attention = kinds[attention](self.seeds, common["hidden"])

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {**super().options(settings), "attention": settings.attention}

    def attention_map(self, inputs: Inputs) -> Tensor:
        """How much each target step looked at each past step, on average over the seeds: [B, steps, N]."""
        past = self.past(inputs)
        keys, state = self.read(past)
        fed = past[-1, : self.values].expand(self.seeds, -1, -1)
        return torch.stack(self.walk(keys, state, self.told(inputs), fed, None, 0.0)[1], dim=1).mean(dim=0).permute(2, 0, 1)

    def prepare(self, keys: Tensor) -> Tensor:
        prepared: Tensor = self.attention.prepare(keys)
        return prepared

    def look(self, query: Tensor, keys: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        weight = self.attention(query, prepared)  # [seeds, N, B]
        return (weight[:, :, None] * keys).sum(dim=1), weight
