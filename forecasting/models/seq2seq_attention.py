"""Sequence to sequence with attention: an RNN reads the past days, another writes the coming ones, looking back at each step."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from forecasting.calendar import FEATURES
from forecasting.domain import QUANTILES
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs


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


class Seq2SeqAttention(nn.Module):
    """Reads `past` day by day, then writes one day at a time from the day before it, the calendar and an attended context.

    Args:
        features: calendar features a day.
        hidden: width of the recurrent state.
        cell: recurrent cell.
        attention: how encoder states are scored.
        dropout: on the decoder's output, in training only.
    """

    def __init__(
        self,
        features: int,
        hidden: int,
        cell: Literal["gru", "lstm"],
        attention: Literal["additive", "multiplicative"],
        dropout: float,
    ) -> None:
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.encoder = kind(1 + features, hidden, batch_first=True)
        self.decoder = kind(1 + features + hidden, hidden, batch_first=True)
        self.attention = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}[attention](hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden + features, len(QUANTILES))

    @staticmethod
    def options(settings: ModelSettings) -> dict[str, Any]:
        """What to build it with."""
        own = ("hidden", "cell", "attention", "dropout")
        return {"features": len(FEATURES), **{name: getattr(settings, name) for name in own}}

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        """Quantiles of every target day.

        Args:
            inputs: past [B, L, 1 + F], future [B, H, F].
            target: true values [B, H], needed when `forcing` > 0.
            forcing: chance, for each window and step, that the decoder is fed the true value of the day before instead of its
                own median (teacher forcing, Williams and Zipser 1989).

        Returns:
            [B, H, quantiles], ascending along the last axis.
        """
        return self.decode(inputs, target, forcing)[0]

    def attention_map(self, inputs: Inputs) -> Tensor:
        """How much each target day looked at each past day: [B, H, L]."""
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
            previous = quantiles[:, len(QUANTILES) // 2]
            if target is not None and forcing > 0:
                forced = torch.rand_like(previous) < forcing
                previous = torch.where(forced, target[:, step], previous)
        return torch.stack(outputs, dim=1), torch.stack(weights, dim=1)


def ascending(raw: Tensor) -> Tensor:
    """[..., Q] free numbers to [..., Q] ascending ones: the middle is kept, the others lie positive steps away from it."""
    middle = raw.shape[-1] // 2
    centre = raw[..., middle : middle + 1]
    below = centre - nn.functional.softplus(raw[..., :middle]).flip(-1).cumsum(-1).flip(-1)
    above = centre + nn.functional.softplus(raw[..., middle + 1 :]).cumsum(-1)
    return torch.cat([below, centre, above], dim=-1)
