"""An RNN that predicts one step, and is fed back on itself for the coming ones."""

from typing import Any

import torch
from torch import Tensor

from forecasting.models.seq2seq import Seq2Seq
from forecasting.models.stacked import State
from forecasting.windows import Inputs, Layout


class RnnOneStep(Seq2Seq):
    """One and the same cell predicts each step from the one before it and the calendar of its own: through the past, where the true
    value comes next, and on through the coming steps, where its own median does. With `forcing` 1 it learns on the one-step
    task, and every coming step of a window is a target; with 0 it learns from its own forecasts.

    Temperature stands beside the step that it was measured at, with a mark of whether it is known.

    Args:
        common: see `Common`. Of the linear path it takes the regression on the calendar; what carries forward it carries itself.
    """

    one_cell = True

    def __init__(self, layout: Layout, **common: Any) -> None:
        super().__init__(layout, **common)
        self.carry = None

    @property
    def told_width(self) -> int:
        return self.known_width + 2 * self.layout.past_temperature

    def read(self, past: Tensor) -> tuple[Tensor, State]:
        steps = past[1:, self.values :]
        if self.layout.past_temperature:
            steps = torch.cat([steps, torch.ones_like(steps[:, :1])], dim=1)
        outputs, state = self.decoder(torch.cat([past[:-1, : self.values], steps], dim=1))
        return outputs, state

    def told(self, inputs: Inputs) -> Tensor:
        ahead = self.ahead(inputs)
        if not self.layout.past_temperature:
            return ahead
        mark = torch.full_like(inputs.future[:, : len(ahead), :1], float(self.layout.future_temperature)).permute(1, 2, 0)
        unknown = [] if self.layout.future_temperature else [torch.zeros_like(mark)]
        return torch.cat([ahead, *unknown, mark], dim=1)
