"""History to tensors: the one path of step models for training, scoring and serving.

A step model walks over days, or over the intervals of the local clock. A window that begins at step `p` sees the steps before `p`
and what is known of step `p` and after in advance. Its targets are the steps `p` to `p + horizon - 1`: none of them is among its
inputs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from forecasting import calendar
from forecasting.domain import DAILY, Information, Resolution
from forecasting.errors import HistoryError
from forecasting.history import History

MILD_C, SPREAD_C = 15.0, 10.0
"""Temperatures are read as (t - 15) / 10: one scale for every place and season."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a step model reads and writes: `past_steps` and `horizon_steps` of a resolution, `per_day` steps a day, what is known of
    the weather, and whether temperature and the calendar are among its inputs at all."""

    resolution: Resolution
    per_day: int
    past_steps: int
    horizon_steps: int
    information: Information = Information.P
    temperature: bool = False
    calendar: bool = True

    @property
    def horizon_days(self) -> int:
        return -(-self.horizon_steps // self.per_day)

    @property
    def past_days(self) -> int:
        return -(-self.past_steps // self.per_day)

    @property
    def season(self) -> int:
        """Steps a week."""
        return 7 * self.per_day

    @property
    def past_temperature(self) -> bool:
        return self.temperature and self.information is not Information.U

    @property
    def future_temperature(self) -> bool:
        return self.temperature and self.information in (Information.F, Information.W)

    def require_past(self, positions: np.ndarray) -> None:
        """Refuse forecasts from steps that have fewer than `past_steps` before them.

        Raises:
            IndexError: one has.
        """
        if len(positions) and positions.min() < self.past_steps:
            raise IndexError(f"a window at step {positions.min()} of the history cannot read the {self.past_steps} steps before it")

    @property
    def known(self) -> int:
        """Calendar features a step."""
        if not self.calendar:
            return 0
        return len(calendar.FEATURES) + (0 if self.resolution == DAILY else len(calendar.CLOCK_FEATURES))

    @property
    def past_width(self) -> int:
        return 1 + self.known + self.past_temperature

    @property
    def future_width(self) -> int:
        return self.known + self.future_temperature


@dataclass(frozen=True, slots=True)
class Scaler:
    """Standardises the energy of steps with a mean and a standard deviation (MWh): of the training steps, or of each step by itself
    ([T], where a calendar tells more; steps that energy does not reach are left out)."""

    mean_mwh: float | np.ndarray
    sd_mwh: float | np.ndarray

    @classmethod
    def fit(cls, energy_mwh: np.ndarray) -> "Scaler":
        return cls(float(energy_mwh.mean()), float(max(energy_mwh.std(ddof=1), 1e-6 * abs(energy_mwh.mean()), 1e-9)))

    def scale(self, energy_mwh: np.ndarray) -> np.ndarray:
        mean, sd = self._at(np.arange(len(energy_mwh)))
        scaled: np.ndarray = (energy_mwh - mean) / sd
        return scaled

    def unscale(self, scaled: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """scaled [windows, horizon_steps, LEVELS], of the steps at [windows, horizon_steps], in MWh."""
        mean, sd = self._at(steps[..., None])
        energy: np.ndarray = scaled * sd + mean
        return energy

    def _at(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, sd = np.asarray(self.mean_mwh), np.asarray(self.sd_mwh)
        return mean[steps] if mean.ndim else mean, sd[steps] if sd.ndim else sd


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a step model may see.

    past: float32 [windows, past_steps, past_width], scaled energy first, then the calendar of the same steps, then temperature.
    future: float32 [windows, horizon_steps, future_width], the calendar of the target steps, then temperature.
    """

    past: Tensor
    future: Tensor

    def __len__(self) -> int:
        return len(self.past)

    def __getitem__(self, rows: Tensor) -> "Inputs":
        return Inputs(self.past[rows], self.future[rows])


@dataclass(frozen=True)
class Steps:
    """A history as a step model walks over it; T steps, of which those after the history are known in advance only.

    energy_mwh: [steps of the history], of a step of full length: a day of 23 hours counts as 24 of the same power.
    share: [T], how much of a full step each really is: 23/24, or the weight of a slot.
    filled: [steps of the history].
    known: float32 [T, features], the calendar.
    temperature: float32 [steps of the history], scaled, or None.
    """

    history: History
    layout: Layout
    energy_mwh: np.ndarray
    share: np.ndarray
    filled: np.ndarray
    known: np.ndarray
    temperature: np.ndarray | None

    @classmethod
    def of(cls, history: History, layout: Layout) -> "Steps":
        """Lay a history out.

        Raises:
            HistoryError: temperatures are among the inputs, and none is known.
        """
        ahead = layout.horizon_days
        weights = history.weights_and_after(ahead)
        days = history.days_and_after(ahead)
        known = calendar.day_features(days, history.series.region) if layout.calendar else np.zeros((len(days), 0), np.float32)
        celsius = _bridged(history) if layout.past_temperature or layout.future_temperature else None
        if celsius is None and (layout.past_temperature or layout.future_temperature):
            raise HistoryError(
                f"no temperature of {history.series.series_id} is known",
                "ingest weather beside it, or set temperature = false in [model] and retrain",
            )
        if layout.resolution == DAILY:
            share = weights.sum(axis=1) / history.slots
            energy = history.energy_mwh / share[: len(history)]
            return cls(history, layout, energy, share, history.filled, known, None if celsius is None else celsius.mean(axis=1))
        filled = np.repeat(history.filled, history.slots)
        known = calendar.clock_features(known, history.slots) if layout.calendar else np.repeat(known, history.slots, axis=0)
        flat = None if celsius is None else celsius.ravel()
        return cls(history, layout, history.demand_mwh.ravel(), weights.ravel().astype(float), filled, known, flat)

    def __len__(self) -> int:
        return len(self.energy_mwh)

    def inputs_at(self, positions: np.ndarray, scaled: np.ndarray, *, hindsight: bool = False) -> Inputs:
        """Inputs of the windows whose first target steps are at `positions`; `len(self)` is the step after the last one known.

        Args:
            scaled: float32 [steps of the history], scaled energy.
            hindsight: temperatures as they came may stand for weather forecasts that were not kept: to learn from only.

        Raises:
            IndexError: a window would begin before the history does.
            HistoryError: no temperatures are known for the target steps.
        """
        layout = self.layout
        layout.require_past(positions)
        back = positions[:, None] - layout.past_steps + np.arange(layout.past_steps)
        ahead = positions[:, None] + np.arange(layout.horizon_steps)
        past, future = [scaled[back][..., None], self.known[back]], [self.known[ahead]]
        if layout.past_temperature:
            assert self.temperature is not None
            past.append(self.temperature[back][..., None])
        if layout.future_temperature:
            future.append(self._outlook(positions, hindsight or layout.information is Information.W)[..., None])
        return Inputs(torch.from_numpy(np.concatenate(past, axis=-1)), torch.from_numpy(np.concatenate(future, axis=-1)))

    def _outlook(self, positions: np.ndarray, hindsight: bool) -> np.ndarray:
        """Scaled temperatures of the target steps: as forecast where a whole forecast is kept for a window; with hindsight else as
        they came."""
        layout, history = self.layout, self.history
        assert self.temperature is not None
        ahead = positions[:, None] + np.arange(layout.horizon_steps)
        found = self.temperature[np.minimum(ahead, len(self) - 1)]
        for row, position in enumerate(positions):
            outlook = history.outlooks_c.get(int(position) // layout.per_day) if layout.information is Information.F else None
            if outlook is not None and np.isfinite(outlook[: layout.horizon_days]).all():
                celsius = outlook.mean(axis=1) if layout.resolution == DAILY else outlook.ravel()
                found[row] = ((celsius - MILD_C) / SPREAD_C)[: layout.horizon_steps]
            elif not hindsight or position + layout.horizon_steps > len(self):
                day = history.days_and_after(1)[int(position) // layout.per_day]
                raise HistoryError(
                    f"no weather forecast of {history.series.series_id} issued by {day:%F} is known",
                    "ingest weather forecasts, or ask for information P",
                )
        return found


@dataclass(frozen=True)
class Windows:
    """Windows by their first target steps; tensors are made a batch at a time. `energy` is scaled, float32 [steps]."""

    steps: Steps
    energy: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    def batch(self, rows: np.ndarray) -> tuple[Inputs, Tensor]:
        """Inputs and targets [rows, horizon_steps] of some windows."""
        chosen = self.positions[rows]
        ahead = chosen[:, None] + np.arange(self.steps.layout.horizon_steps)
        return self.steps.inputs_at(chosen, self.energy, hindsight=True), torch.from_numpy(self.energy[ahead])

    @property
    def all(self) -> tuple[Inputs, Tensor]:
        return self.batch(np.arange(len(self)))


def windows_between(steps: Steps, first: int, last: int, scaler: Scaler, stride: int = 1) -> Windows:
    """Every window whose targets all lie at steps `first` to `last` (exclusive) and were all observed.

    Args:
        stride: only windows that begin at multiples of it after `first`.
    """
    horizon = steps.layout.horizon_steps
    begins = np.arange(first, last - horizon + 1, stride)
    begins = begins[begins >= steps.layout.past_steps]
    invented = np.concatenate([[0], np.cumsum(steps.filled)])
    positions = begins[invented[begins + horizon] == invented[begins]]
    return Windows(steps, scaler.scale(steps.energy_mwh).astype(np.float32), positions)


def require_trainable(history: History, past_days: int, horizon_days: int, validation_days: int) -> int:
    """Where the days held out for validation begin.

    Raises:
        HistoryError: fewer than two horizons of training windows, or no validation window.
    """
    needed = past_days + 3 * horizon_days + validation_days
    cut = len(history) - validation_days
    if (
        len(history) >= needed
        and len(whole_origins(history, cut, horizon_days))
        and len(whole_origins(history.before(cut), past_days, horizon_days))
    ):
        return cut
    holes = int(history.filled.sum())
    raise HistoryError(
        f"series {history.series.series_id} has {len(history)} complete days up to {history.days[-1]:%F} ({holes} of them filled), "
        f"too little history to train on: {needed} are needed",
        "choose a later --as-of or bring older readings",
    )


def whole_origins(history: History, first: int, horizon_days: int) -> np.ndarray:
    """Positions from `first` on whose next `horizon_days` days were all observed."""
    begins = np.arange(first, len(history) - horizon_days + 1)
    invented = np.concatenate([[0], np.cumsum(history.filled)])
    whole: np.ndarray = begins[invented[begins + horizon_days] == invented[begins]]
    return whole


def _bridged(history: History) -> np.ndarray | None:
    """Scaled temperatures [days, slots] float32, in holes those of the same time of the last day that has one: nothing later, which
    a window may not know. MILD_C before the first; None where none is known."""
    celsius = history.temperature_c
    if celsius is None or not np.isfinite(celsius).any():
        return None
    last = np.maximum.accumulate(np.where(np.isfinite(celsius), np.arange(len(celsius))[:, None], -1), axis=0)
    whole = np.where(last >= 0, np.take_along_axis(celsius, last.clip(min=0), axis=0), MILD_C)
    scaled: np.ndarray = ((whole - MILD_C) / SPREAD_C).astype(np.float32)
    return scaled
