"""Two ridge regressions: the calendar, then how its errors live on. The strongest baseline that knows no weather."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecasting import calendar
from forecasting.domain import LEVELS
from forecasting.history import History
from forecasting.models.base import MIDDLE, EpochReport, Forecast, Forecaster
from forecasting.models.log_level import LogLevel
from forecasting.settings import TrainingSettings

CALENDAR_SHRINKAGE, CARRY_SHRINKAGE = 20.0, 200.0
"""For standardised columns."""
RATES = (1.0, 0.3, 0.05)
"""Of the exponential averages of past residuals; 1 is the last residual itself."""
SETTLED = 20
"""Days before those averages mean anything."""


class TwoStageRidge(Forecaster):
    """Stage one: log demand of a day, or of each slot by itself, on weekday, holidays by name, what lies beside them, the weeks
    around New Year and two annual waves. Stage two, one ridge for each lead: the residual then on the last residual and two
    exponential averages of it, each also times the annual cosine. Bands are quantiles of what is left, by lead.
    """

    shaped_by_data = ("coefficients", "carry", "offsets", "facts")
    coefficients: Tensor
    carry: Tensor
    offsets: Tensor
    facts: Tensor

    def learn(self, history: History, until: int, training: TrainingSettings, report: EpochReport) -> None:  # noqa: ARG002
        """Solve for everything at once: there are no epochs."""
        past, horizon = history.before(until), self.layout.horizon_days
        power = self._power(past)
        level = LogLevel.fit(power)
        self.facts = torch.tensor([level.mean_mwh, float(level.logarithmic)], dtype=torch.float64)
        design = self._design(past, 0)
        use = torch.from_numpy(~past.filled)
        target = level.forward(power)
        self.coefficients = _ridge(design[use], target[use], CALENDAR_SHRINKAGE)
        residuals = target - design @ self.coefficients  # [days, columns]
        states = self._states(past, residuals)  # [days, columns, K]
        carry, offsets = [], []
        for ahead in range(horizon):
            begins = torch.arange(min(SETTLED, until // 4), until - 1 - ahead)
            begins = begins[use[begins + 1 + ahead]]
            slots = [_ridge(states[begins, s], residuals[begins + 1 + ahead, s], CARRY_SHRINKAGE) for s in range(power.shape[1])]
            weights = torch.stack(slots)  # [columns, K]
            left = residuals[begins + 1 + ahead] - torch.einsum("dsk,sk->ds", states[begins], weights)
            carry.append(weights)
            spread = torch.quantile(left, torch.tensor(LEVELS, dtype=torch.float64), dim=0).T  # [columns, LEVELS]
            offsets.append(spread - spread[:, MIDDLE:][:, :1])
        self.carry, self.offsets = torch.stack(carry), torch.stack(offsets)

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        horizon = self.layout.horizon_days
        level = LogLevel(float(self.facts[0]), bool(self.facts[1]))
        known = history.before(int(positions.max())) if len(positions) else history
        base = self._design(known, horizon) @ self.coefficients
        states = self._states(known, level.forward(self._power(known)) - base[: len(known)])
        ahead = torch.from_numpy(positions[:, None] + np.arange(horizon))
        point = base[ahead] + torch.einsum("osk,hsk->ohs", states[torch.from_numpy(positions) - 1], self.carry)
        quantiles = level.back(point[..., None] + self.offsets).flatten(1, 2)[:, : self.layout.horizon_steps].numpy()
        if self.whole_days:
            quantiles = quantiles * (history.weights_and_after(horizon)[ahead.numpy()].sum(axis=-1) / history.slots)[..., None]
        # the skew of its errors is that of one year's weather: in 2013 the point had the smaller squared error (.381 to .403)
        return Forecast(quantiles[..., MIDDLE], quantiles)

    def _power(self, history: History) -> Tensor:
        """Energy of days of full length [days, 1], or of slots [days, slots], MWh."""
        if not self.whole_days:
            return torch.from_numpy(history.demand_mwh)
        return torch.from_numpy(history.energy_mwh / (history.weights.sum(axis=1) / history.slots))[:, None]

    def _design(self, history: History, ahead: int) -> Tensor:
        days = history.days_and_after(ahead)
        features = calendar.demand_features(days, history.series.zone, history.series.region).values
        return torch.from_numpy(np.column_stack([np.ones(len(days)), features]))

    def _states(self, history: History, residuals: Tensor) -> Tensor:
        """[days, columns, 2 * RATES]"""
        table = pd.DataFrame(residuals.numpy())
        table[history.filled] = np.nan
        averages = [
            torch.from_numpy(table.ewm(alpha=rate, adjust=False).mean().ffill().fillna(0.0).to_numpy(copy=True)) for rate in RATES
        ]
        found = torch.stack(averages, dim=-1)
        angle = torch.from_numpy(2 * np.pi * (np.asarray(history.days.day_of_year) - 1) / 365.25)
        return torch.cat([found, found * angle.cos()[:, None, None]], dim=-1)


def _ridge(design: Tensor, target: Tensor, shrinkage: float) -> Tensor:
    """Coefficients of columns that are shrunk by their standard deviation; a constant column is not shrunk."""
    spread = design.std(dim=0, correction=0)
    penalty = shrinkage * torch.where(spread > 0, spread**2, torch.zeros_like(spread)) + 1e-9
    found: Tensor = torch.linalg.solve(design.T @ design + torch.diag(penalty), design.T @ target)
    return found
