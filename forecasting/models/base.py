"""What every model is: fitted on a history up to a day, it forecasts from any later origin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from forecasting.domain import DAILY, LEVELS
from forecasting.history import History
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.windows import Layout

MIDDLE = len(LEVELS) // 2


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses after one epoch. `train` is measured during the epoch, teacher forcing and all."""

    number: int
    epochs: int
    train: float
    validation: float


EpochReport = Callable[[Epoch], None]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecasts from several origins, in MWh: of local days, or of the slots of the local clock (energy of one interval).

    mean: [origins, steps].
    quantiles: [origins, steps, LEVELS], ascending.
    peak: quantiles of the largest interval of each day [origins, days, LEVELS]; None of a model that does not know.
    """

    mean: np.ndarray
    quantiles: np.ndarray
    peak: np.ndarray | None = None

    @property
    def median(self) -> np.ndarray:
        middle: np.ndarray = self.quantiles[..., MIDDLE]
        return middle

    def level(self, level: float) -> np.ndarray:
        """One of LEVELS: [origins, steps]."""
        found: np.ndarray = self.quantiles[..., LEVELS.index(level)]
        return found


def mean_of(quantiles: np.ndarray) -> np.ndarray:
    """The mean of a distribution given by its quantiles [..., LEVELS]: each stands for the probability nearest to it."""
    edges = np.concatenate([[0.0], (np.array(LEVELS[1:]) + np.array(LEVELS[:-1])) / 2, [1.0]])
    mean: np.ndarray = quantiles @ np.diff(edges)
    return mean


class Forecaster(nn.Module):
    """A model family. A new one is one new file and one line in MODELS.

    All that `learn` finds lies in parameters and buffers, so that the state dict and the options are the whole model.
    """

    shaped_by_data: ClassVar[tuple[str, ...]] = ()
    """Names of float64 buffers whose sizes follow from the history that was learnt from."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        for name in self.shaped_by_data:
            self.register_buffer(name, torch.zeros(0, dtype=torch.float64))

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:  # noqa: ARG003
        """What to build it with, beside the layout, as written on its card."""
        return {}

    calibrates_itself = False
    """Its bands come from errors out of sample already."""

    def settle(self) -> None:
        """Lay what was learnt out as `restore` will, so that the same bits come out of both."""
        for name in self.shaped_by_data:
            setattr(self, name, getattr(self, name).contiguous())

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `learn` found.

        Raises:
            RuntimeError: it is of another shape.
        """
        for name in self.shaped_by_data:
            if name in state:
                self.register_buffer(name, torch.zeros_like(state[name]))
        self.load_state_dict(dict(state))

    def learn(self, history: History, until: int, training: TrainingSettings, report: EpochReport) -> None:
        """Fit on the days before position `until`. Later days of the history serve to report validation losses, if anything."""
        raise NotImplementedError

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        """Forecast from the beginnings of the days at `positions`; `len(history)` is the day after the last one known.

        Nothing of the days from a position on is looked at, but the calendar and what `layout.information` allows.
        """
        raise NotImplementedError

    @property
    def whole_days(self) -> bool:
        return self.layout.resolution == DAILY


def ascending(raw: Tensor) -> Tensor:
    """[..., Q] free numbers to [..., Q] ascending ones: the middle is kept, the others lie positive steps away from it."""
    middle = raw.shape[-1] // 2
    centre = raw[..., middle : middle + 1]
    below = centre - nn.functional.softplus(raw[..., :middle]).flip(-1).cumsum(-1).flip(-1)
    above = centre + nn.functional.softplus(raw[..., middle + 1 :]).cumsum(-1)
    return torch.cat([below, centre, above], dim=-1)
