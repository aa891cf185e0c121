"""Sequence to sequence with attention: an RNN reads the past, another writes the coming steps, looking back at each of them."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from forecasting.models.network import Cell, Loss
from forecasting.models.seq2seq import Seq2Seq
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs, Layout


class MultiplicativeAttention(nn.Module):
    """Luong et al. 2015, "general" score: query . W key."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.project = nn.Linear(hidden, hidden, bias=False)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """query [B, H], keys [B, L, H] -> weights [B, L], each row summing to 1."""
        return torch.softmax(torch.einsum("bh,blh->bl", self.project(query), keys), dim=-1)


class AdditiveAttention(nn.Module):
    """Bahdanau et al. 2015: v . tanh(W query + U key)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """query [B, H], keys [B, L, H] -> weights [B, L], each row summing to 1."""
        energy = torch.tanh(self.query(query)[:, None] + self.key(keys))
        return torch.softmax(self.score(energy).squeeze(-1), dim=-1)


class Seq2SeqAttention(Seq2Seq):
    """`Seq2Seq` whose decoder also reads an attended context of the encoder's states.

    Args:
        attention: how encoder states are scored.
        hidden, cell, dropout, linear_path, loss: see `Seq2Seq`.
    """

    def __init__(
        self,
        layout: Layout,
        hidden: int,
        cell: Cell,
        attention: Literal["additive", "multiplicative"],
        dropout: float,
        linear_path: bool,
        loss: Loss,
    ) -> None:
        super().__init__(layout, hidden, cell, dropout, linear_path, loss, context=hidden)
        self.attention = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}[attention](hidden)

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {**super().options(settings), "attention": settings.attention}

    looks = True

    def attention_map(self, inputs: Inputs) -> Tensor:
        """How much each target step looked at each past step: [B, H, L]."""
        return torch.stack(self.decode(inputs, None, 0.0)[1], dim=1)

    def look(self, query: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        weight = self.attention(query, keys)  # [B, L]
        return torch.einsum("bl,blh->bh", weight, keys), weight
