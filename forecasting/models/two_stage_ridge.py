"""Two ridge regressions: the calendar, then how its errors live on. The strongest baseline that knows no weather."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecasting.domain import LEVELS
from forecasting.history import History
from forecasting.models.base import MIDDLE, EpochReport, Forecast, Forecaster
from forecasting.models.calendar_ridge import CalendarRidge, power, ridge
from forecasting.models.log_level import LogLevel
from forecasting.settings import TrainingSettings

CARRY_SHRINKAGE = 200.0
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
        demand = power(past, whole_days=self.whole_days)
        stage_one = CalendarRidge.fit(past, demand)
        self.facts = torch.tensor([stage_one.level.mean_mwh, float(stage_one.level.logarithmic)], dtype=torch.float64)
        self.coefficients = stage_one.coefficients
        use = torch.from_numpy(~past.filled)
        residuals = stage_one.level.forward(demand) - stage_one.expected(past, 0)  # [days, columns]
        states = self._states(past, residuals)  # [days, columns, K]
        carry, offsets = [], []
        for ahead in range(horizon):
            begins = torch.arange(min(SETTLED, until // 4), until - 1 - ahead)
            begins = begins[use[begins + 1 + ahead]]
            slots = [ridge(states[begins, s], residuals[begins + 1 + ahead, s], CARRY_SHRINKAGE) for s in range(demand.shape[1])]
            weights = torch.stack(slots)  # [columns, K]
            left = residuals[begins + 1 + ahead] - torch.einsum("dsk,sk->ds", states[begins], weights)
            carry.append(weights)
            spread = torch.quantile(left, torch.tensor(LEVELS, dtype=torch.float64), dim=0).T  # [columns, LEVELS]
            offsets.append(spread - spread[:, MIDDLE:][:, :1])
        self.carry, self.offsets = torch.stack(carry), torch.stack(offsets)
        self.settle()

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        horizon = self.layout.horizon_days
        self.layout.require_past(positions * self.layout.per_day)
        level = LogLevel(float(self.facts[0]), bool(self.facts[1]))
        known = history.before(int(positions.max())) if len(positions) else history
        base = CalendarRidge(level, self.coefficients).expected(known, horizon)
        states = self._states(known, level.forward(power(known, whole_days=self.whole_days)) - base[: len(known)])
        ahead = torch.from_numpy(positions[:, None] + np.arange(horizon))
        point = base[ahead] + torch.einsum("osk,hsk->ohs", states[torch.from_numpy(positions) - 1], self.carry)
        quantiles = level.back(point[..., None] + self.offsets).flatten(1, 2)[:, : self.layout.horizon_steps].numpy()
        if self.whole_days:
            quantiles = quantiles * (history.weights_and_after(horizon)[ahead.numpy()].sum(axis=-1) / history.slots)[..., None]
        # the skew of its errors is that of one year's weather: in 2013 the point had the smaller squared error (.381 to .403)
        return Forecast(quantiles[..., MIDDLE], quantiles)

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
