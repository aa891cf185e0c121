"""Sequence to sequence with attention: an RNN reads the past days, another writes the coming ones, looking back at each step."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from forecasting.models.base import MIDDLE, ascending
from forecasting.models.network import Network, quantile_head
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


class Seq2SeqAttention(Network):
    """Reads `past` step by step, then writes one step at a time from the step before it, the calendar and an attended context.

    Args:
        hidden: width of the recurrent state.
        cell: recurrent cell.
        attention: how encoder states are scored.
        dropout: on the decoder's output, in training only.
        linear_path: see `Network`.
    """

    def __init__(
        self,
        layout: Layout,
        hidden: int,
        cell: Literal["gru", "lstm"],
        attention: Literal["additive", "multiplicative"],
        dropout: float,
        linear_path: bool,
    ) -> None:
        super().__init__(layout, linear_path=linear_path)
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.encoder = kind(layout.past_width, hidden, batch_first=True)
        self.decoder = kind(1 + layout.future_width + hidden, hidden, batch_first=True)
        self.attention = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}[attention](hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = quantile_head(2 * hidden + layout.future_width)

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {name: getattr(settings, name) for name in ("hidden", "cell", "attention", "dropout", "linear_path")}

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        """Quantiles of every target step.

        Args:
            inputs: past [B, L, past_width], future [B, H, future_width].
            target: true values [B, H], needed when `forcing` > 0.
            forcing: chance, for each window and step, that the decoder is fed the true value of the step before instead of its
                own median (teacher forcing, Williams and Zipser 1989).

        Returns:
            [B, H, LEVELS], ascending along the last axis.
        """
        return self.decode(inputs, target, forcing)[0]

    def attention_map(self, inputs: Inputs) -> Tensor:
        """How much each target step looked at each past step: [B, H, L]."""
        return self.decode(inputs, None, 0.0)[1]

    def decode(self, inputs: Inputs, target: Tensor | None, forcing: float) -> tuple[Tensor, Tensor]:
        keys, state = self.encoder(inputs.past)  # [B, L, hidden]
        query = keys[:, -1]  # [B, hidden]
        previous = inputs.past[:, -1, 0]  # [B]
        outputs, weights = [], []
        for step in range(inputs.future.shape[1]):
            weight = self.attention(query, keys)  # [B, L]
            context = torch.einsum("bl,blh->bh", weight, keys)  # [B, hidden]
            known = inputs.future[:, step]  # [B, F]
            out, state = self.decoder(torch.cat([previous[:, None], known, context], dim=-1)[:, None], state)
            query = out[:, 0]
            quantiles = ascending(self.head(self.dropout(torch.cat([query, context, known], dim=-1))))  # [B, Q]
            outputs.append(quantiles)
            weights.append(weight)
            previous = quantiles[:, MIDDLE]
            if target is not None and forcing > 0:
                forced = torch.rand_like(previous) < forcing
                previous = torch.where(forced, target[:, step], previous)
        return torch.stack(outputs, dim=1), torch.stack(weights, dim=1)
