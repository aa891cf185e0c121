"""Demand as a ridge regression on the calendar: stage one of the baseline, and the layer that networks work on top of."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from forecasting import calendar
from forecasting.history import History
from forecasting.models.log_level import LogLevel

SHRINKAGE = 20.0
"""For standardised columns."""


@dataclass(frozen=True)
class CalendarRidge:
    """coefficients: [1 + F, columns], of a constant and `calendar.demand_features`; one column for days, or one for each slot."""

    level: LogLevel
    coefficients: Tensor

    @classmethod
    def fit(cls, history: History, power_mwh: Tensor, *, seasonal: bool = True) -> "CalendarRidge":
        """Args:
        power_mwh: [days, columns], see `power`.
        seasonal: False leaves the waves of the year out again after they were fitted beside the others.
        """
        level = LogLevel.fit(power_mwh)
        design, waves = _design(history, 0)
        use = torch.from_numpy(~history.filled)
        target = level.forward(power_mwh)[use]
        coefficients = ridge(design[use], target, SHRINKAGE)
        if not seasonal:
            coefficients[waves] = 0.0
            coefficients[0] += (target - design[use] @ coefficients).mean(dim=0)
        return cls(level, coefficients)

    def expected(self, history: History, ahead: int) -> Tensor:
        """Levels (not MWh) of the days of a history and of those after: [days + ahead, columns]."""
        return _design(history, ahead)[0] @ self.coefficients


def power(history: History, *, whole_days: bool) -> Tensor:
    """Energy of days of full length [days, 1]: one of 23 hours counts as 24 of the same power; or of slots [days, slots], MWh."""
    if not whole_days:
        return torch.from_numpy(history.demand_mwh)
    return torch.from_numpy(history.energy_mwh / (history.weights.sum(axis=1) / history.slots))[:, None]


def ridge(design: Tensor, target: Tensor, shrinkage: float) -> Tensor:
    """Coefficients [F, ...] of columns that are shrunk as if standardised; a constant column is not shrunk."""
    spread = design.std(dim=0, correction=0)
    penalty = torch.diag(shrinkage * spread**2 + 1e-9)
    found: Tensor = torch.linalg.solve(design.T @ design + penalty, design.T @ target)
    return found


def _design(history: History, ahead: int) -> tuple[Tensor, Tensor]:
    """[days + ahead, 1 + F], and which columns are waves of the year [1 + F]."""
    days = history.days_and_after(ahead)
    features = calendar.demand_features(days, history.series.zone, history.series.region)
    columns = np.column_stack([np.ones(len(days)), features.values])
    return torch.from_numpy(columns), torch.from_numpy(np.concatenate([[False], features.seasonal]))
