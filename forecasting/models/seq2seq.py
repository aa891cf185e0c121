"""Sequence to sequence: an RNN reads the past, another writes the coming steps, each from the one before."""

from typing import Any

import torch
from torch import Tensor, nn

from forecasting.models.base import ascending
from forecasting.models.network import Cell, Loss, Network, head_of, recurrent
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs, Layout

State = Tensor | tuple[Tensor, Tensor] | None
"""Of a GRU, of an LSTM, or before the first step."""


class Seq2Seq(Network):
    """Reads `past` step by step, then writes one step at a time from the step before it and the calendar (Sutskever et al. 2014).

    Args:
        hidden: width of the recurrent state.
        cell: recurrent cell.
        dropout: before the head, in training only.
        linear_path, loss: see `Network`.
        context: width of what `look` gives.
    """

    def __init__(
        self, layout: Layout, hidden: int, cell: Cell, dropout: float, linear_path: bool, loss: Loss, context: int = 0
    ) -> None:
        super().__init__(layout, linear_path=linear_path, loss=loss)
        if not self.one_cell:
            self.encoder = recurrent(cell, layout.past_width, hidden)
        self.decoder = recurrent(cell, 1 + self.known_width + context, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = head_of(hidden + context + self.known_width, loss)

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {name: getattr(settings, name) for name in ("hidden", "cell", "dropout", "linear_path", "loss")}

    @property
    def known_width(self) -> int:
        """Width of `known`."""
        return self.layout.future_width

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        """Quantiles of every target step.

        Args:
            inputs: past [B, L, past_width], future [B, H, future_width].
            target: true values [B, H], needed when `forcing` > 0.
            forcing: chance, for each window and step, that the decoder is fed the true value of the step before instead of its
                own median (teacher forcing, Williams and Zipser 1989).

        Returns:
            [B, H, LEVELS], ascending along the last axis; [B, H, 1] with the loss "mse".
        """
        return self.decode(inputs, target, forcing)[0]

    def read(self, inputs: Inputs) -> tuple[Tensor, State]:
        """The past: outputs of its steps [B, L, hidden], and the state after the last one."""
        outputs, state = self.encoder(inputs.past)
        return outputs, state

    def known(self, inputs: Inputs) -> Tensor:
        """What is known of each coming step: [B, H, known_width]."""
        return inputs.future

    one_cell = False
    """Whether the decoder reads the past as well."""
    looks = False
    """Whether each step is written with a context of the past steps."""

    def look(self, query: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """The context [B, context] of a step, and the weights of the past steps in it [B, L].

        Args:
            query: newest output [B, hidden].
            keys: outputs of the past steps [B, L, hidden].
        """
        raise NotImplementedError

    def decode(self, inputs: Inputs, target: Tensor | None, forcing: float) -> tuple[Tensor, list[Tensor]]:
        """What `forward` returns, and the weights of `look` at each step."""
        keys, state = self.read(inputs)
        known = self.known(inputs)  # [B, H, F]
        fed = inputs.past[:, -1:, 0]  # [B, 1]
        if target is not None and forcing >= 1 and not self.looks:  # all is known beforehand: no need to walk
            taught = torch.cat([fed, target[:, :-1]], dim=1)[..., None]
            out, _ = self.decoder(torch.cat([taught, known], dim=-1), state)
            return ascending(self.head(self.dropout(torch.cat([out, known], dim=-1)))), []
        forced = torch.rand_like(target) < forcing if target is not None and forcing > 0 else None
        out, raw, weights = keys[:, -1:], [], []
        for step in range(known.shape[1]):
            given = known[:, step]
            if self.looks:
                context, weight = self.look(out[:, 0], keys)
                given = torch.cat([context, given], dim=-1)
                weights.append(weight)
            out, state = self.decoder(torch.cat([fed, given], dim=-1)[:, None], state)
            written = self.head(self.dropout(torch.cat([out[:, 0], given], dim=-1)))  # [B, Q]
            raw.append(written)
            fed = written[:, written.shape[1] // 2, None]  # the middle stays as it is when the others are put in order
            if forced is not None and target is not None:
                fed = torch.where(forced[:, step, None], target[:, step, None], fed)
        return ascending(torch.stack(raw, dim=1)), weights
