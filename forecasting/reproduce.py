"""The four parts of the torch tutorial on demand forecasting that the model families come from, run as it ran them.

S. Keydana, "Introductory time-series forecasting with torch" and its three sequels, RStudio AI Blog, 2021, on the demand of
Victoria, 2012 to 2014. Its models see demand alone, standardised, and minimise squared error. In parts 3 and 4 their target is
their input shifted by one step, of which they have seen all but one; so each part is told on the true task as well: the steps
after the window. Attention reads the decoder's own last step here, which the tutorial's part 4 computes and does not use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from forecasting.domain import DAILY, INTERVAL, Resolution
from forecasting.errors import HistoryError, SettingsError
from forecasting.history import History
from forecasting.models import build
from forecasting.models.base import Epoch
from forecasting.models.network import Network
from forecasting.settings import TrainingSettings
from forecasting.training import repeatable, train, validation_loss
from forecasting.windows import Inputs, Layout, Scaler, Steps, Windows, windows_between

FRACTION = 0.5
"""Of the windows, drawn once and used in every epoch."""
SETTINGS = TrainingSettings(
    batch_size=32,
    learning_rate=1e-3,
    learning_rate_schedule="constant",
    weight_decay=0.0,
    clip_norm=1e9,
    forcing=0.0,
    forcing_schedule="constant",
    max_windows=1_000_000,
)
"""Plain Adam: nothing decays, is clipped or drawn anew."""
NETWORK = {"hidden": 32, "cell": "gru", "dropout": 0.0, "linear_path": False, "loss": "mse", "seeds": 1, "step": "interval"}
Task = Literal["one step", "shifted", "true"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Part:
    """One part of the tutorial.

    past: steps read; on the true task as many are forecast. train, validation: years. published: losses of the last epoch on its
    own task.
    """

    number: int
    family: str
    resolution: Resolution
    past: int
    train: tuple[int, int]
    validation: int
    epochs: int
    task: Task
    published: tuple[float, float]
    forcing: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)


PARTS = (
    Part(1, "rnn_one_step", INTERVAL, 336, (2012, 2012), 2013, 30, "one step", (0.00523, 0.00935)),
    Part(2, "rnn_mlp", INTERVAL, 336, (2012, 2012), 2013, 30, "true", (0.20022, 0.33331), options={"mlp_hidden": 512}),
    Part(3, "seq2seq", INTERVAL, 336, (2012, 2012), 2013, 50, "shifted", (0.03091, 0.54457), forcing=0.3),
    Part(4, "seq2seq_attention", DAILY, 14, (2012, 2013), 2014, 100, "shifted", (0.10396, 0.20975)),
)


@dataclass(frozen=True, slots=True)
class Reproduced:
    """Mean squared errors of standardised values after the last epoch.

    train, validation: on the part's own task. true, naive: of the steps after the window, by a network of the same settings that
    was trained for them (part 1: by the same network, fed back) and by weekly naive, over the same windows of the validation year.
    """

    part: int
    family: str
    task: Task
    epochs: int
    published_train: float
    published_validation: float
    train: float
    validation: float
    true: float
    naive: float


@dataclass(frozen=True)
class Shifted(Windows):
    """Windows whose targets are their past shifted by one step: the last one alone is new."""

    def batch(self, rows: np.ndarray) -> tuple[Inputs, Tensor]:
        chosen, past = self.positions[rows], self.steps.layout.past_steps
        targets = self.energy[chosen[:, None] - past + 1 + np.arange(past)]
        return self.steps.inputs_at(chosen, self.energy), torch.from_numpy(targets)


def reproduce(part: Part, history: History, seed: int, epochs: int | None, attention: str, progress: Progress) -> Reproduced:
    """Run a part.

    Args:
        epochs: fewer or more than the tutorial's; None for as many.
        attention: of part 4.

    Raises:
        HistoryError: the history does not hold its years.
    """
    options = {**NETWORK, **part.options, **({"attention": attention} if part.family == "seq2seq_attention" else {})}
    settings = SETTINGS.model_copy(update={"epochs": epochs or part.epochs, "seed": seed})
    own, last = _fit(part, part.task, history, options, settings.model_copy(update={"forcing": part.forcing}), progress)
    held_out = _windows(part, "true", history, seed)[1]
    if part.task == "one step":
        fed_back = _network(part, held_out.steps.layout, options)
        fed_back.load_state_dict(own.state_dict() | {"errors": fed_back.errors})
        true = validation_loss(fed_back, held_out, settings.batch_size)
    elif part.task == "shifted":
        true = _fit(part, "true", history, options, settings, progress)[1].validation
    else:
        true = last.validation
    naive = _naive(held_out)
    return Reproduced(
        part.number, part.family, part.task, settings.epochs, *part.published, last.train, last.validation, true, naive
    )


def chosen_parts(numbers: tuple[int, ...]) -> tuple[Part, ...]:
    """The parts of these numbers; all for none.

    Raises:
        SettingsError: no such part.
    """
    if unknown := set(numbers) - {part.number for part in PARTS}:
        raise SettingsError(f"the tutorial has no part {min(unknown)}", "choose from 1 to 4")
    return tuple(part for part in PARTS if not numbers or part.number in numbers)


def _fit(
    part: Part, task: Task, history: History, options: Mapping[str, Any], settings: TrainingSettings, progress: Progress
) -> tuple[Network, Epoch]:
    epochs: list[Epoch] = []
    told = f"part {part.number}, {task.replace('true', 'true task')}"

    def report(epoch: Epoch) -> None:
        epochs.append(epoch)
        progress(told, epoch.number, epoch.epochs)

    progress(told, 0, settings.epochs)
    fitted, held_out = _windows(part, task, history, settings.seed)
    with repeatable(settings.seed):
        network = _network(part, fitted.steps.layout, options)
        train(network, fitted, held_out, settings, report)
    return network, epochs[-1]


def _network(part: Part, layout: Layout, options: Mapping[str, Any]) -> Network:
    network = build(part.family, layout, **options)
    assert isinstance(network, Network)
    return network


def _windows(part: Part, task: Task, history: History, seed: int) -> tuple[Windows, Windows]:
    """Those to train on and those to validate on: half of all that lie within their years, inputs and targets."""
    per_day = 1 if part.resolution == DAILY else history.slots
    layout = Layout(part.resolution, per_day, part.past, 1 if task == "one step" else part.past, calendar=False)
    steps = Steps.of(history, layout)
    (first, last), held_out = _days(history, *part.train), _days(history, part.validation, part.validation)
    scaler = Scaler.fit(steps.energy_mwh[first * per_day : last * per_day])
    draw = np.random.default_rng(seed)

    def between(begin: int, end: int) -> Windows:
        # of a shifted window one step is new: as many windows fit as on the one-step task
        new = replace(steps, layout=replace(layout, horizon_steps=1)) if task == "shifted" else steps
        found = windows_between(new, begin * per_day + part.past, end * per_day, scaler)
        drawn = np.sort(draw.choice(found.positions, int(FRACTION * len(found)), replace=False))
        return (Shifted if task == "shifted" else Windows)(steps, found.energy, drawn)

    return between(first, last), between(*held_out)


def _days(history: History, first_year: int, last_year: int) -> tuple[int, int]:
    """Positions of the first day of a year, and of the day after the last one of another."""
    years = np.asarray(history.days.year)
    found = np.flatnonzero((years >= first_year) & (years <= last_year))
    if len(found) < 365 * (last_year - first_year + 1):
        told = f"{first_year}" if first_year == last_year else f"{first_year} and {last_year}"
        raise HistoryError(
            f"series {history.series.series_id} has {len(found)} days of {told}, which the tutorial needs whole",
            "give the demand of Victoria from 2012 to 2014 with --path",
        )
    return int(found[0]), int(found[-1]) + 1


def _naive(windows: Windows) -> float:
    """Mean squared error of the same steps a week before, or of as many weeks before as it takes to know them."""
    layout = windows.steps.layout
    steps = np.arange(layout.horizon_steps)
    ahead = windows.positions[:, None] + steps
    back = windows.positions[:, None] + steps % layout.season - layout.season
    return float(((windows.energy[ahead] - windows.energy[back]) ** 2).mean())
