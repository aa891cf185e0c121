"""Training beside the tutorial's loop in the same run, on one core: windows a second, and time to the same validation loss.

Both loops train on the same windows of 2012 and are validated on the same windows of 2013 after each epoch, which is part of their
time. The yardstick keeps the tutorial's settings; its loss is that of its best epoch. Ours has larger batches, with the learning
rate following, and its loss is that of its last epoch. Throughput counts at an equal or lower loss only. A larger batch needs more
windows, so the time from the start to the yardstick's loss is printed as well.

Figures are printed, in CPU time, never judged. The whole measure, of some minutes, on the demand of Victoria:
BENCHMARK_WINDOWS=2000 BENCHMARK_STEPS=336 BENCHMARK_EPOCHS=1 python -m pytest tests/benchmarks/test_training_speed.py
"""

import os
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from forecasting.domain import DAILY, INTERVAL, Resolution
from forecasting.history import History
from forecasting.models import build
from forecasting.models.base import Epoch
from forecasting.models.network import Network
from forecasting.reproduce import NETWORK, SETTINGS
from forecasting.training import repeatable, train
from forecasting.windows import Layout, Scaler, Steps, Windows, windows_between
from tests.benchmarks import tutorial
from tests.benchmarks.conftest import Print
from tests.conftest import VICTORIA
from tests.unit.builders import clock_history_of, seasonal_slots

WINDOWS = int(os.environ.get("BENCHMARK_WINDOWS", "192"))
STEPS = int(os.environ.get("BENCHMARK_STEPS", "48"))
EPOCHS = float(os.environ.get("BENCHMARK_EPOCHS", "0.1"))
"""Times the epochs of each part."""
DAYS = 366
FOLLOWING = {"learning_rate_schedule": "one_cycle", "clip_norm": 1.0}
"""What lets the learning rate follow the batch."""


@dataclass(frozen=True)
class Part:
    """epochs: of the yardstick; batch, rate, decay, ours: batch size, learning rate, weight decay and epochs of ours."""

    family: str
    resolution: Resolution
    horizon: int
    epochs: int
    batch: int
    rate: float
    decay: float
    ours: int
    options: dict[str, object]


PARTS = (
    Part("rnn_one_step", INTERVAL, 1, 30, 128, 1e-2, 0.0, 45, {}),
    Part("rnn_mlp", INTERVAL, STEPS, 30, 256, 2e-2, 0.0, 60, {"mlp_hidden": tutorial.MLP_HIDDEN}),
    Part("seq2seq", INTERVAL, STEPS, 10, 128, 1e-2, 0.0, 10, {}),
    Part("seq2seq_attention", DAILY, 14, 100, 512, 2e-2, 1.0, 120, {"attention": "multiplicative"}),
)


@pytest.fixture(scope="module")
def history() -> History:
    """Two years: of Victoria where its file is, else made up."""
    if not VICTORIA.is_file():
        return clock_history_of(seasonal_slots(2 * DAYS, slots=48), first="2012-01-01")
    from forecasting.jobs.feed_history import history_of_feed
    from forecasting.service import choose_series
    from forecasting.settings import load_settings

    settings = load_settings()
    (series,) = choose_series(settings, "csv", VICTORIA, ())
    return history_of_feed(settings, series, datetime(2014, 1, 1, tzinfo=UTC), lambda *_: None)


def windows(part: Part, history: History) -> tuple[Windows, Windows]:
    """So many of the first year, and a third as many of the second."""
    per_day, past = (1, 14) if part.resolution == DAILY else (history.slots, STEPS)
    steps = Steps.of(history, Layout(part.resolution, per_day, past, part.horizon, calendar=False))
    scaler = Scaler.fit(steps.energy_mwh[: DAYS * per_day])
    draw = np.random.default_rng(1)

    def between(first: int, last: int, count: int) -> Windows:
        found = windows_between(steps, first * per_day, last * per_day, scaler)
        return Windows(steps, found.energy, draw.choice(found.positions, min(count, len(found)), replace=False))

    return between(0, DAYS, WINDOWS), between(DAYS, 2 * DAYS - 1, max(WINDOWS // 3, 32))


def yardstick(part: Part, fitted: Windows, held_out: Windows, epochs: int) -> tutorial.Run:
    layout = fitted.steps.layout
    items = [tutorial.Items(each.energy, each.positions, layout.past_steps, layout.horizon_steps) for each in (fitted, held_out)]
    torch.manual_seed(1)
    random.seed(1)
    return tutorial.fit(tutorial.NETWORKS[part.family](layout.horizon_steps), items[0], items[1], epochs)


def ours(part: Part, fitted: Windows, held_out: Windows, epochs: int) -> tutorial.Run:
    run = tutorial.Run([], [])
    options = {"batch_size": part.batch, "learning_rate": part.rate, "weight_decay": part.decay, "epochs": epochs}

    def report(epoch: Epoch) -> None:
        run.seconds.append(time.process_time() - started)
        run.losses.append(epoch.validation)

    with repeatable(1):
        network = build(part.family, fitted.steps.layout, **{**NETWORK, **part.options})
        assert isinstance(network, Network)
        started = time.process_time()
        train(network, fitted, held_out, SETTINGS.model_copy(update={**FOLLOWING, **options}), report)
    return run


@pytest.mark.costly
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.family)
def test_training_beside_the_loop_of_the_tutorial(part: Part, history: History, tell: Print) -> None:
    fitted, held_out = windows(part, history)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        theirs = yardstick(part, fitted, held_out, max(1, round(EPOCHS * part.epochs)))
        mine = ours(part, fitted, held_out, max(1, round(EPOCHS * part.ours)))
    finally:
        torch.set_num_threads(threads)
    layout, best = fitted.steps.layout, int(np.argmin(theirs.losses))
    speeds = [len(fitted) * len(run.seconds) / run.seconds[-1] for run in (theirs, mine)]
    reached = next((at for at, loss in zip(mine.seconds, mine.losses, strict=True) if loss <= theirs.losses[best]), None)
    tell(f"{part.family}: {layout.past_steps} + {layout.horizon_steps} steps, {len(fitted)} windows, batches of {part.batch}")
    for name, run, speed, loss in zip(
        ("tutorial", "ours"), (theirs, mine), speeds, (theirs.losses[best], mine.losses[-1]), strict=True
    ):
        told = f"{len(run.losses):>4} epochs {run.seconds[-1]:>7.1f} s {speed:>9,.0f} windows/s   validation loss {loss:.5f}"
        tell(f"  {name:<9}{told}")
    equal = "at an equal or lower loss" if mine.losses[-1] <= theirs.losses[best] else "but the loss is higher"
    tell(f"  throughput {speeds[1] / speeds[0]:.1f} times, {equal}")
    told = "not reached" if reached is None else f"in {reached:.1f} s, {theirs.seconds[best] / reached:.1f} times as fast"
    tell(f"  the yardstick's loss, which it has after {theirs.seconds[best]:.1f} s: {told}")
    assert np.isfinite(theirs.losses + mine.losses).all()
