"""Layers of several networks at once: the first dimension of every weight is the seed, and one product serves all of them.

Small recurrent networks are bound by the number of operations, not by their size: five stacked ones cost little more than one.
Windows are the last dimension, [seeds, width, windows], so that a slice of the width is one piece of memory.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Kind = Literal["gru", "lstm"]
State = tuple[Tensor, ...]
"""The output [seeds, hidden, windows], and what a cell remembers beside it."""


class Linear(nn.Module):
    """`nn.Linear` for each seed: weight [seeds, outputs, inputs], bias [seeds, outputs, 1]."""

    bias: Tensor | None

    def __init__(self, seeds: int, inputs: int, outputs: int, *, bias: bool = True, fan: int | None = None) -> None:
        """Weights begin uniform within 1 / sqrt(fan), of as many as there are inputs where nothing else is said."""
        super().__init__()
        bound = 1 / math.sqrt(fan or max(inputs, 1))
        self.weight = nn.Parameter(torch.empty(seeds, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(seeds, outputs, 1).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[seeds, inputs, windows] -> [seeds, outputs, windows], or of steps [seeds, steps, inputs, windows]."""
        if x.dim() == 4:
            return steps_of(self.weight, self.bias, x)
        return torch.bmm(self.weight, x) if self.bias is None else torch.baddbmm(self.bias, self.weight, x)


def steps_of(weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """weight [seeds, outputs, inputs] and bias [seeds, outputs, 1] for every step of x [seeds, steps, inputs, windows], or of what
    all share [steps, inputs, windows]: [seeds, steps, outputs, windows]."""
    shared = x.dim() == 3
    out = (weight.flatten(0, 1) @ x).unflatten(1, weight.shape[:2]).transpose(0, 1) if shared else weight[:, None] @ x
    return out if bias is None else out + bias[:, None]


class Cell(nn.Module):
    """A recurrent cell for each seed, with the equations and the beginnings of its namesake in torch.

    `rows` [seeds, R, inputs], [seeds, R, hidden] and [seeds, R, 1] give what a step sums up: products with the input and the output
    before, and a constant.
    """

    gates: int

    def __init__(self, seeds: int, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = Linear(seeds, width, self.gates * hidden, fan=hidden)
        self.state = Linear(seeds, hidden, self.gates * hidden)

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        raise NotImplementedError

    def start(self, windows: int) -> State:
        """Before the first step."""
        raise NotImplementedError

    def step(self, given: Tensor, weight: Tensor, read: Tensor, state: State) -> State:
        """The state after a step whose rows sum up to given [seeds, R, windows] + weight [seeds, R, width] @ read [seeds, width,
        windows]."""
        raise NotImplementedError

    def sweep(self, x: Tensor, state: State, rows: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, State]:
        """Walk over x, [seeds, steps, inputs, windows] or of all seeds [steps, inputs, windows]: outputs
        [seeds, steps, hidden, windows] and the last state."""
        of_input, of_output, constant = rows
        outputs: list[Tensor] = []
        for given in steps_of(of_input, constant, x).unbind(1):
            state = self.step(given, of_output, state[0], state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1) if outputs else state[0][:, None][:, :0], state

    def forward(self, x: Tensor) -> tuple[Tensor, State]:
        """`sweep` from the start."""
        return self.sweep(x, self.start(x.shape[-1]), self.rows())


class Lstm(Cell):
    """Hochreiter and Schmidhuber 1997, with a forget gate, as `nn.LSTM` has it."""

    gates = 4

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        assert self.input.bias is not None
        assert self.state.bias is not None
        return self.input.weight, self.state.weight, self.input.bias + self.state.bias

    def start(self, windows: int) -> State:
        nothing = self.state.weight.new_zeros(len(self.state.weight), self.hidden, windows)
        return nothing, nothing

    def step(self, given: Tensor, weight: Tensor, read: Tensor, state: State) -> State:
        write, keep, new, tell = torch.baddbmm(given, weight, read).chunk(4, dim=1)
        memory = torch.sigmoid(keep) * state[1] + torch.sigmoid(write) * torch.tanh(new)
        return torch.sigmoid(tell) * torch.tanh(memory), memory


class Gru(Cell):
    """Cho et al. 2014, as `nn.GRU` has it: the reset gate acts on the product with the output before."""

    gates = 3

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of reset, keep, what is new, and what the reset gate lets through of the past."""
        assert self.input.bias is not None
        assert self.state.bias is not None
        none = torch.zeros_like(self.state.weight[:, : self.hidden])
        of_input = torch.cat([self.input.weight, none.new_zeros(len(none), self.hidden, self.input.weight.shape[2])], dim=1)
        turned, past = self.state.weight.split([2 * self.hidden, self.hidden], dim=1)
        here, before = self.input.bias, self.state.bias.split([2 * self.hidden, self.hidden], dim=1)
        constant = torch.cat([here[:, : 2 * self.hidden] + before[0], here[:, 2 * self.hidden :], before[1]], dim=1)
        return of_input, torch.cat([turned, none, past], dim=1), constant

    def start(self, windows: int) -> State:
        return (self.state.weight.new_zeros(len(self.state.weight), self.hidden, windows),)

    def step(self, given: Tensor, weight: Tensor, read: Tensor, state: State) -> State:
        return (_Step.apply(given, weight, read, *state),)  # type: ignore[no-untyped-call]

    def sweep(self, x: Tensor, state: State, rows: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, State]:
        outputs: Tensor = _Sweep.apply(x.expand(len(rows[0]), -1, -1, -1), *state, *rows)  # type: ignore[no-untyped-call]
        return outputs, (outputs[:, -1],) if outputs.shape[1] else state


Four = tuple[Tensor, ...]
"""Reset, keep, new and past [seeds, hidden, windows]: first their sums, then what they turn into; or the slopes of the sums."""


def _turned(two: Tensor, four: Four, before: Tensor, out: Tensor) -> None:
    """One step of a GRU, in place; `two` is reset and keep in one piece."""
    _, keep, new, past = four
    two.sigmoid_()
    # tanh(x) = 2 sigmoid(2 x) - 1, in a quarter of the time
    new.addcmul_(four[0], past).mul_(2).sigmoid_().mul_(2).sub_(1)
    torch.lerp(new, before, keep, out=out)


def _turned_back(slope: Tensor, four: Four, before: Tensor, out: Four) -> Tensor:
    """The slopes `out` of the sums of a step; returned is what of its slope goes straight to the output before."""
    aten, (reset, keep, new, past) = torch.ops.aten, four
    kept = slope * keep
    aten.sigmoid_backward.grad_input((before - new).mul_(slope), keep, grad_input=out[1])
    aten.tanh_backward.grad_input(slope - kept, new, grad_input=out[2])
    torch.mul(out[2], reset, out=out[3])
    aten.sigmoid_backward.grad_input(out[2] * past, reset, grad_input=out[0])
    return kept


class _Step(torch.autograd.Function):
    """One step of a GRU; see `Cell.step`."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, weight: Tensor, read: Tensor, before: Tensor) -> Tensor:
        turned, out, hidden = torch.baddbmm(given, weight, read), torch.empty_like(before), before.shape[1]
        _turned(turned[:, : 2 * hidden], turned.split(hidden, dim=1), before, out)
        ctx.save_for_backward(turned, weight, read, before)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        turned, weight, read, before = ctx.saved_tensors
        of_sums, hidden = torch.empty_like(turned), before.shape[1]
        kept = _turned_back(slope, turned.split(hidden, dim=1), before, of_sums.split(hidden, dim=1))
        return of_sums, torch.bmm(of_sums, read.mT), torch.bmm(weight.mT, of_sums), kept


class _Sweep(torch.autograd.Function):
    """All steps of a GRU. Each is one product of its weights with what stands in one piece of memory: the output before, the input
    and a one; backwards, slopes of the weights are summed in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, of_input: Tensor, of_output: Tensor, constant: Tensor) -> Tensor:
        (seeds, steps, width, windows), hidden = x.shape, start.shape[1]
        weight = torch.cat([of_output, of_input, constant], dim=2)
        read = x.new_empty(steps + 1, seeds, hidden + width + 1, windows)
        read[:-1, :, hidden:-1] = x.transpose(0, 1)
        read[:-1, :, -1] = 1
        outputs = read[:, :, :hidden]
        outputs[0] = start
        turned = x.new_empty(steps, seeds, 4 * hidden, windows)
        walk = zip(read, turned, turned[:, :, : 2 * hidden], _by_step(turned, hidden), outputs, outputs[1:], strict=False)
        for here, sums, two, four, before, out in walk:
            torch.bmm(weight, here, out=sums)
            _turned(two, four, before, out)
        ctx.save_for_backward(read, turned, weight)
        return outputs[1:].transpose(0, 1).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        read, turned, weight = ctx.saved_tensors
        hidden, of_weight, back = slopes.shape[2], torch.zeros_like(weight), weight.transpose(1, 2)
        width = read.shape[2] - hidden - 1
        of_x = torch.empty_like(read[:-1, :, hidden:-1]) if ctx.needs_input_grad[0] else None
        of_sums, later, to_before = torch.empty_like(turned[0]), torch.zeros_like(slopes[:, 0]), back[:, :hidden]
        four_of_sums = of_sums.split(hidden, dim=1)
        walk = list(zip(read.mT, read[:, :, :hidden], _by_step(turned, hidden), slopes.unbind(1), strict=False))
        for step, (here, before, four, slope) in reversed(list(enumerate(walk))):
            kept = _turned_back(later.add_(slope), four, before, four_of_sums)
            of_weight.baddbmm_(of_sums, here)
            if of_x is not None:
                of_x[step] = torch.bmm(back[:, hidden:-1], of_sums)
            later = kept.baddbmm_(to_before, of_sums)
        of_output, of_input, constant = of_weight.split([hidden, width, 1], dim=2)
        return None if of_x is None else of_x.transpose(0, 1), later, of_input, of_output, constant


def _by_step(turned: Tensor, hidden: int) -> list[Four]:
    """turned [steps, seeds, 4 * hidden, windows]"""
    return list(zip(*(part.unbind(0) for part in turned.split(hidden, dim=2)), strict=True))


CELLS: dict[Kind, type[Cell]] = {"gru": Gru, "lstm": Lstm}
