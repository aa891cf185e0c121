"""The one training loop."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from forecasting.models.base import Epoch, EpochReport
from forecasting.settings import TrainingSettings
from forecasting.windows import Inputs, Windows

if TYPE_CHECKING:
    from forecasting.models.network import Network

Batch = tuple[Inputs, Tensor]
"""Of windows, and their targets [windows, horizon_steps]."""
HELD_VALUES = 16_000_000
"""Windows of fewer values than this are made once and held; others are made anew for every batch."""


TRIM_THRESHOLD, MMAP_THRESHOLD, ALLOCATOR_DEFAULT = -1, -3, 128 * 1024
"""Of mallopt(3)."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Several threads only slow small models down, by a factor where the machine is busy; work in parallel belongs to processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Same seed, same data, same bits: one thread, and a generator of its own.

    Denormal numbers are taken for zero meanwhile, and freed memory is kept, which long sequences need for speed. Not to be nested.
    """
    flush = torch.set_flush_denormal(True)
    _keep_freed_memory(True)
    try:
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        if flush:
            torch.set_flush_denormal(False)
        _keep_freed_memory(False)


def _keep_freed_memory(keep: bool) -> None:
    """Whether large blocks that are freed stay with the process, or go back at once: every batch asks for the same ones, and to get
    them anew from the kernel can take as long as to use them. Nothing where the C library is not glibc."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return
    for threshold in (TRIM_THRESHOLD, MMAP_THRESHOLD):
        library.mallopt(threshold, 2**30 if keep else ALLOCATOR_DEFAULT)
    if not keep:
        library.malloc_trim(0)


def train(model: "Network", train: Windows, validation: Windows, options: TrainingSettings, report: EpochReport) -> None:
    """Fit `model` in place, with the learning rate and the teacher forcing of their schedules.

    The validation windows are only looked at, never learnt from: no early stopping. `report` is called after each epoch. Where
    there are more than `options.max_windows` windows, each epoch draws its own.

    Call inside `repeatable`, with the model built there too, for repeatable results.
    """
    optimizer = torch.optim.AdamW(_groups(model, options.weight_decay), lr=options.learning_rate, fused=True)
    count = min(len(train), options.max_windows)
    batches = -(-count // options.batch_size)
    schedule = _schedule(optimizer, options, batches)
    held, seen = _held(train), _held(validation)
    for epoch in range(options.epochs):
        model.train()
        forcing = forcing_in(epoch, options)
        total = 0.0
        for rows in torch.randperm(len(train))[:count].split(options.batch_size):
            inputs, target = train.batch(rows.numpy()) if held is None else (held[0][rows], held[1][rows])
            loss = model.loss(model.by_seed(inputs, target, forcing), target)
            optimizer.zero_grad()
            (loss * model.seeds).backward()  # the mean over seeds would weaken the slopes of each
            clip(model, options.clip_norm)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        report(Epoch(epoch + 1, options.epochs, total / count, validation_loss(model, validation, options.batch_size, seen)))


def clip(model: "Network", norm: float) -> None:
    """Shorten the slopes of each seed to `norm` where they are longer."""
    slopes = [each.grad for each in model.parameters() if each.grad is not None]
    lengths = torch.stack([slope.flatten(1).norm(dim=1) for slope in slopes]).norm(dim=0)  # [seeds]
    factors = (norm / (lengths + 1e-6)).clamp(max=1.0)
    for slope in slopes:
        slope.mul_(factors.reshape(-1, *[1] * (slope.dim() - 1)))


def forcing_in(epoch: int, options: TrainingSettings) -> float:
    """How much teacher forcing there is in an epoch, counted from 0."""
    falling = 1.0 if options.forcing_schedule == "constant" else max(0.0, 1 - 2 * epoch / options.epochs)
    return options.forcing * falling


def validation_loss(model: "Network", windows: Windows, batch_size: int, held: Batch | None = None) -> float:
    """Mean loss over windows, without teacher forcing; nan where there are none. `held` are the same windows, where made before."""
    if not len(windows):
        return float("nan")
    model.eval()
    total = 0.0
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(windows)), -(-len(windows) // batch_size)):
            inputs, target = windows.batch(rows) if held is None else (held[0][torch.from_numpy(rows)], held[1][rows])
            total += model.loss(model.quantiles(inputs), target).item() * len(rows)
    return total / len(windows)


def _schedule(optimizer: torch.optim.Optimizer, options: TrainingSettings, batches: int) -> torch.optim.lr_scheduler.LRScheduler:
    if options.learning_rate_schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options.learning_rate, total_steps=options.epochs * batches)


def _groups(model: "Network", weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; the linear path and the biases of the head do not: they say what is usual."""
    free = {"carry", "head.bias"}
    named = list(model.named_parameters())
    return [
        {"params": [each for name, each in named if name not in free], "weight_decay": weight_decay},
        {"params": [each for name, each in named if name in free], "weight_decay": 0.0},
    ]


def _held(windows: Windows) -> Batch | None:
    """All windows at once, where they are not too large for it."""
    layout = windows.steps.layout
    values = len(windows) * (layout.past_steps * layout.past_width + layout.horizon_steps * (layout.future_width + 1))
    return windows.all if 0 < values <= HELD_VALUES else None
