"""The one training loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from forecasting.domain import QUANTILES
from forecasting.settings import TrainingSettings
from forecasting.windows import Windows

EpochReport = Callable[["Epoch"], None]


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses after one epoch: mean pinball loss of scaled values. `train` is measured during the epoch, teacher forcing and all."""

    number: int
    epochs: int
    train: float
    validation: float


def pinball_loss(quantiles: Tensor, target: Tensor) -> Tensor:
    """Mean pinball loss. quantiles [B, H, Q], target [B, H]; scalar."""
    gap = target[..., None] - quantiles
    levels = torch.tensor(QUANTILES)
    return torch.maximum(levels * gap, (levels - 1) * gap).mean()


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Same seed, same data, same bits: one thread (several only slow a small RNN down) and a generator of its own.

    Denormal numbers are taken for zero meanwhile, which long sequences need for speed. Not to be nested.
    """
    threads, flush = torch.get_num_threads(), torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        if flush:
            torch.set_flush_denormal(False)


def train(model: nn.Module, train: Windows, validation: Windows, options: TrainingSettings, report: EpochReport) -> None:
    """Fit `model` in place; teacher forcing falls in a straight line from `options.forcing` to zero half way through.

    The validation windows are only looked at, never learnt from: no early stopping. `report` is called after each epoch.

    Call inside `repeatable`, with the model built there too, for repeatable results.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    batches = -(-len(train) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options.learning_rate, total_steps=options.epochs * batches)
    for epoch in range(options.epochs):
        model.train()
        forcing = options.forcing * max(0.0, 1 - 2 * epoch / options.epochs)
        total = 0.0
        for rows in torch.randperm(len(train)).split(options.batch_size):
            target = train.target[rows]
            loss = pinball_loss(model(train.inputs[rows], target, forcing), target)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), options.clip_norm)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        report(
            Epoch(epoch + 1, options.epochs, total / len(train), pinball_loss(predict(model, validation), validation.target).item())
        )


def predict(model: nn.Module, windows: Windows) -> Tensor:
    """Quantiles of every window, without teacher forcing: [windows, horizon_days, quantiles], scaled."""
    model.eval()
    with torch.no_grad():
        quantiles: Tensor = model(windows.inputs)
    return quantiles
