"""History to tensors: the one path for training, scoring and serving.

A window at position `p` of a history sees the days before `p` and what the calendar knows of day `p` and after. Its targets
are the days `p` to `p + horizon - 1`: none of them is among its inputs.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from forecasting import calendar
from forecasting.errors import HistoryError
from forecasting.history import History


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Days read and days forecast."""

    past_days: int
    horizon_days: int


@dataclass(frozen=True, slots=True)
class Scaler:
    """Standardises daily energy with the mean and standard deviation of the training days (MWh)."""

    mean_mwh: float
    sd_mwh: float

    @classmethod
    def fit(cls, energy_mwh: np.ndarray) -> "Scaler":
        return cls(float(energy_mwh.mean()), float(max(energy_mwh.std(ddof=1), 1e-6 * abs(energy_mwh.mean()), 1e-9)))

    def scale(self, energy_mwh: np.ndarray) -> np.ndarray:
        return (energy_mwh - self.mean_mwh) / self.sd_mwh

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        return scaled * self.sd_mwh + self.mean_mwh


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model may see.

    past: float32 [windows, past_days, 1 + features], scaled energy first, then the calendar of the same days.
    future: float32 [windows, horizon_days, features], the calendar of the target days.
    """

    past: torch.Tensor
    future: torch.Tensor

    def __len__(self) -> int:
        return len(self.past)

    def __getitem__(self, rows: torch.Tensor) -> "Inputs":
        return Inputs(self.past[rows], self.future[rows])


@dataclass(frozen=True, slots=True)
class Windows:
    """Inputs with their targets, float32 [windows, horizon_days], scaled; `positions` are the first target days."""

    inputs: Inputs
    target: torch.Tensor
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


def inputs_at(history: History, positions: np.ndarray, spec: WindowSpec, scaler: Scaler) -> Inputs:
    """Inputs of the windows whose first target days are at `positions`; `len(history)` is the day after the last one known.

    Raises:
        IndexError: a window would begin before the history does.
    """
    if len(positions) and positions.min() < spec.past_days:
        raise IndexError(f"a window at day {positions.min()} of the history cannot read the {spec.past_days} days before it")
    days = pd.date_range(history.days[0], periods=len(history) + spec.horizon_days, freq="D")
    features = calendar.day_features(days, history.series.region)
    energy = scaler.scale(history.energy_mwh).astype(np.float32)
    back = positions[:, None] - spec.past_days + np.arange(spec.past_days)
    ahead = positions[:, None] + np.arange(spec.horizon_days)
    past = np.concatenate([energy[back][..., None], features[back]], axis=-1)
    return Inputs(torch.from_numpy(past), torch.from_numpy(features[ahead]))


def windows_between(history: History, first: int, last: int, spec: WindowSpec, scaler: Scaler) -> Windows:
    """Every window whose targets all lie at positions `first` to `last` (exclusive) and were all observed."""
    begins = np.arange(max(first, spec.past_days), last - spec.horizon_days + 1)
    ahead = begins[:, None] + np.arange(spec.horizon_days)
    positions = begins[~history.filled[ahead].any(axis=1)]
    ahead = positions[:, None] + np.arange(spec.horizon_days)
    target = torch.from_numpy(scaler.scale(history.energy_mwh).astype(np.float32)[ahead])
    return Windows(inputs_at(history, positions, spec, scaler), target, positions)


@dataclass(frozen=True, slots=True)
class Split:
    """Training windows, and validation windows whose targets all come after every training target."""

    train: Windows
    validation: Windows
    scaler: Scaler
    spec: WindowSpec


def split(history: History, spec: WindowSpec, validation_days: int) -> Split:
    """Hold out the last `validation_days` days as targets; the scaler is fitted on the days before them.

    Raises:
        HistoryError: fewer than two horizons of training windows, or no validation window.
    """
    cut = len(history) - validation_days
    needed = spec.past_days + 3 * spec.horizon_days + validation_days
    if len(history) >= needed:
        scaler = Scaler.fit(history.energy_mwh[:cut])
        train = windows_between(history, 0, cut, spec, scaler)
        validation = windows_between(history, cut, len(history), spec, scaler)
        if len(train) and len(validation):
            return Split(train, validation, scaler, spec)
    holes = int(history.filled.sum())
    raise HistoryError(
        f"series {history.series.series_id} has {len(history)} complete days up to {history.days[-1]:%F} ({holes} of them filled), "
        f"too little history to train on: {needed} are needed",
        "choose a later --as-of or bring older readings",
    )
