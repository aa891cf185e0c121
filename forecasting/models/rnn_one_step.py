"""An RNN that predicts one step, and is fed back on itself for the coming ones."""

import torch
from torch import Tensor

from forecasting.models.network import Cell, Loss
from forecasting.models.seq2seq import Seq2Seq, State
from forecasting.windows import Inputs, Layout


class RnnOneStep(Seq2Seq):
    """One and the same cell predicts each step from the one before it and the calendar of its own: through the past, where the true
    value comes next, and on through the coming steps, where its own median does. With `forcing` 1 it learns on the one-step
    task, and every coming step of a window is a target; with 0 it learns from its own forecasts.

    Temperature stands beside the step that it was measured at, with a mark of whether it is known.

    Args:
        hidden, cell, dropout, linear_path, loss: see `Seq2Seq`. Of the linear path it takes the regression on the calendar; what
            carries forward it carries itself.
    """

    one_cell = True

    def __init__(self, layout: Layout, hidden: int, cell: Cell, dropout: float, linear_path: bool, loss: Loss) -> None:
        super().__init__(layout, hidden, cell, dropout, linear_path, loss)
        self.carry = None

    @property
    def known_width(self) -> int:
        return self.layout.known + 2 * self.layout.past_temperature

    def read(self, inputs: Inputs) -> tuple[Tensor, State]:
        if inputs.past.shape[1] == 1:
            return inputs.past.new_zeros(len(inputs), 0, self.decoder.hidden_size), None
        steps = inputs.past[:, 1:, 1:]
        if self.layout.past_temperature:
            steps = torch.cat([steps, torch.ones_like(steps[..., :1])], dim=-1)
        outputs, state = self.decoder(torch.cat([inputs.past[:, :-1, :1], steps], dim=-1))
        return outputs, state

    def known(self, inputs: Inputs) -> Tensor:
        if not self.layout.past_temperature:
            return inputs.future
        mark = torch.full_like(inputs.future[..., :1], float(self.layout.future_temperature))
        unknown = [] if self.layout.future_temperature else [torch.zeros_like(mark)]
        return torch.cat([inputs.future, *unknown, mark], dim=-1)
