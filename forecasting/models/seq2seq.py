"""Sequence to sequence: an RNN reads the past, another writes the coming steps, each from the one before."""

from typing import Any

import torch
from torch import Tensor, nn

from forecasting.models.base import ascending
from forecasting.models.network import Common, Network, head_of
from forecasting.models.stacked import State, steps_of
from forecasting.windows import Inputs, Layout


class Seq2Seq(Network):
    """Reads the past step by step, then writes one step at a time from the step before it and the calendar (Sutskever et al. 2014).

    Args:
        common: see `Common`.
        context: width of what `look` gives.
    """

    def __init__(self, layout: Layout, context: int = 0, **common: Any) -> None:
        made = Common(**common)
        super().__init__(layout, made)
        if not self.one_cell:
            self.encoder = made.recurrent(self.values + self.known_width + layout.past_temperature)
        self.decoder = made.recurrent(self.values + context + self.told_width)
        self.dropout = nn.Dropout(made.dropout)
        self.head = head_of(made.seeds, made.hidden + context + self.told_width, made.loss, self.values)

    one_cell = False
    """Whether the decoder reads the past as well."""
    looks = False
    """Whether each step is written with a context of the past steps."""

    @property
    def told_width(self) -> int:
        """Width of `told`."""
        return self.known_width + self.layout.future_temperature

    def told(self, inputs: Inputs) -> Tensor:
        """What is known of each coming step: [steps, told_width, B]."""
        return self.ahead(inputs)

    def read(self, past: Tensor) -> tuple[Tensor, State]:
        """The past [N, width, B]: outputs of its steps [seeds, N, hidden, B], and the state after the last one."""
        outputs, state = self.encoder(past)
        return outputs, state

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        """Quantiles of every target step.

        Args:
            inputs: past [B, L, past_width], future [B, H, future_width].
            target: true values [seeds, B, H], needed when `forcing` > 0.
            forcing: chance, for each window and step, that the decoder is fed the true value of the step before instead of its
                own median (teacher forcing, Williams and Zipser 1989).

        Returns:
            [seeds, B, H, LEVELS], ascending along the last axis; [seeds, B, H, 1] with the loss "mse".
        """
        past = self.past(inputs)
        keys, state = self.read(past)
        told, fed = self.told(inputs), past[-1, : self.values].expand(self.seeds, -1, -1)
        taught = None if target is None or forcing <= 0 else self._taught(target)
        if self.looks or (taught is not None and forcing < 1):
            outputs, _ = self.walk(keys, state, told, fed, taught, forcing)
        elif taught is not None:  # all is known beforehand
            x = torch.cat([torch.cat([fed[:, None], taught[:, :-1]], dim=1), told.expand(self.seeds, -1, -1, -1)], dim=2)
            outputs, _ = self.decoder.sweep(x, state, self.decoder.rows())
        else:
            outputs = self.sweep(state, told, fed)
        return self._written(outputs, told)

    def walk(
        self, keys: Tensor, state: State, told: Tensor, fed: Tensor, taught: Tensor | None, forcing: float
    ) -> tuple[Tensor, list[Tensor]]:
        """Step by step, each fed the median of the one before, or, by chance, the truth.

        Returns:
            What the head reads of each step beside the calendar [seeds, steps, hidden + context, B], and the weights [seeds, N, B]
            of the past steps at each.
        """
        of_input, of_output, constant = self.decoder.rows()
        of_fed, of_context, of_told = of_input.split(
            [self.values, of_input.shape[2] - self.values - told.shape[1], told.shape[1]], 2
        )
        weight = torch.cat([of_output, of_fed, of_context], dim=2)
        to_median, from_told, median = self._median()
        sums, medians = steps_of(of_told, constant, told).unbind(1), steps_of(from_told, median, told).unbind(1)
        forced = None if taught is None else torch.rand_like(taught[:, :, :1]) < forcing
        prepared = self.prepare(keys)
        outputs, weights = [], []
        for step in range(len(told)):
            context = []
            if prepared is not None:
                seen, looked = self.look(state[0], keys, prepared)
                context.append(seen)
                weights.append(looked)
            state = self.decoder.step(sums[step], weight, torch.cat([state[0], fed, *context], dim=1), state)
            outputs.append(torch.cat([state[0], *context], dim=1))
            fed = torch.baddbmm(medians[step], to_median, outputs[-1])
            if forced is not None and taught is not None:
                fed = torch.where(forced[:, step], taught[:, step], fed)
        return torch.stack(outputs, dim=1), weights

    def sweep(self, state: State, told: Tensor, fed: Tensor) -> Tensor:
        """`walk` without truth or context, [seeds, steps, hidden, B]: a median is linear in the output, so that what is fed back
        from the second step on is but another weight of the output before."""
        of_input, of_output, constant = self.decoder.rows()
        of_fed, of_told = of_input.split([self.values, told.shape[1]], dim=2)
        to_median, from_told, median = self._median()
        first, state = self.decoder.sweep(
            torch.cat([fed, told[0].expand(self.seeds, -1, -1)], dim=1)[:, None], state, (of_input, of_output, constant)
        )
        if len(told) == 1:
            return first
        rows = torch.cat([of_told, of_fed @ from_told], dim=2), of_output + of_fed @ to_median, constant + of_fed @ median
        rest, _ = self.decoder.sweep(torch.cat([told[1:], told[:-1]], dim=1), state, rows)
        return torch.cat([first, rest], dim=1)

    def prepare(self, keys: Tensor) -> Tensor | None:  # noqa: ARG002
        """What `look` needs of the past steps, made once; None of a family that does not look."""
        return None

    def look(self, query: Tensor, keys: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        """The context [seeds, context, B] of a step, and the weights of the past steps in it [seeds, N, B].

        Args:
            query: newest output [seeds, hidden, B].
            keys: outputs of the past steps [seeds, N, hidden, B].
        """
        raise NotImplementedError

    def _median(self) -> tuple[Tensor, Tensor, Tensor]:
        """The rows of the head that write medians, which stay as they are when the others are put in order: of output and context,
        of the calendar, and the constant."""
        assert self.head.bias is not None
        levels = self.head.weight.shape[1] // self.values
        weight, bias = self.head.weight[:, levels // 2 :: levels], self.head.bias[:, levels // 2 :: levels]
        of_output, of_told = weight.split([weight.shape[2] - self.told_width, self.told_width], dim=2)
        return of_output, of_told, bias

    def _taught(self, target: Tensor) -> Tensor:
        """target [seeds, B, H], by steps: [seeds, steps, values, B]."""
        missing = -target.shape[2] % self.values
        whole: Tensor = nn.functional.pad(target, (0, missing)).unflatten(2, (-1, self.values))
        return whole.permute(0, 2, 3, 1)

    def _written(self, outputs: Tensor, told: Tensor) -> Tensor:
        """What `forward` returns, from the outputs of `walk`."""
        read = self.dropout(torch.cat([outputs, told.expand(self.seeds, -1, -1, -1)], dim=2))
        raw = steps_of(self.head.weight, self.head.bias, read)  # [seeds, steps, values * Q, B]
        by_value = raw.unflatten(2, (self.values, -1)).flatten(1, 2)
        return ascending(by_value.permute(0, 3, 1, 2)[:, :, : self.layout.horizon_steps])
