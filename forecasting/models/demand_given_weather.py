"""Log demand as a sum of calendar, trend and temperature, slot by slot, and how its errors live on."""

from dataclasses import dataclass

import torch
from torch import Tensor

FOLD_DAYS = 28
"""Residuals of training days come from fits that left out the stretch of so many days around them."""
THERMAL_SHRINKAGE = 20.0
"""For coefficients of degrees (C), beside 1 for an ordinary calendar flag."""
TREND_SHRINKAGE = 30.0
"""For the change of log demand a year."""
MEMORIES_DAYS = (1, 4, 20, 60)
"""Time constants of the averages of past residuals that a forecast starts from; 1 is the last residual itself."""
CARRY_SHRINKAGE = 3.0
SETTLED = 30
"""Days before the averages of residuals mean anything."""


@dataclass(frozen=True)
class DemandFit:
    """coefficients: [slots, F]; residuals: [days, slots], out of sample, nan on days that were not fitted."""

    coefficients: Tensor
    residuals: Tensor


def fit_demand(design: Tensor, log_demand: Tensor, shrinkage: Tensor, use: Tensor) -> DemandFit:
    """Ridge regression of each slot by itself.

    Args:
        design: [slots, days, F]; log_demand: [days, slots]; shrinkage: [F]; use: [days], which days to learn from.
    """
    weighted = design * use[None, :, None]
    gram = weighted.transpose(1, 2) @ design + torch.diag(shrinkage)  # [slots, F, F]
    moment = weighted.transpose(1, 2) @ log_demand.T[..., None]  # [slots, F, 1]
    residuals = torch.empty_like(log_demand)
    for first in range(0, len(log_demand), FOLD_DAYS):
        fold = slice(first, first + FOLD_DAYS)
        x, wx, y = design[:, fold], weighted[:, fold], log_demand[fold].T[..., None]
        without = torch.linalg.solve(gram - wx.transpose(1, 2) @ x, moment - wx.transpose(1, 2) @ y)
        residuals[fold] = (y - x @ without).squeeze(-1).T
    residuals[~use] = torch.nan
    return DemandFit(torch.linalg.solve(gram, moment).squeeze(-1), residuals)


def residual_states(residuals: Tensor) -> Tensor:
    """Averages of the residuals up to and with each day: for each memory what a slot has beyond the day's mean, and that mean.

    Args:
        residuals: [days, slots]; a day of nan changes nothing.

    Returns:
        [days, slots, 2 * memories].
    """
    days, slots = residuals.shape
    rate = 1 / torch.tensor(MEMORIES_DAYS, dtype=residuals.dtype)  # [memories]
    level, trust = torch.zeros(slots, len(rate), dtype=residuals.dtype), torch.zeros(len(rate), dtype=residuals.dtype)
    found = torch.zeros(days, slots, len(rate), dtype=residuals.dtype)
    known = torch.isfinite(residuals).all(dim=1).tolist()
    for day in range(days):
        if known[day]:
            level = level * (1 - rate) + residuals[day, :, None] * rate
            trust = trust * (1 - rate) + rate
        found[day] = level / trust.clamp(min=0.3)
    mean = found.mean(dim=1, keepdim=True)
    return torch.cat([found - mean, mean.expand_as(found)], dim=-1)


def fit_carry(states: Tensor, residuals: Tensor, horizon_days: int) -> tuple[Tensor, Tensor]:
    """How residuals follow from the states before them, lead by lead and for all slots alike, and what is left.

    Args:
        states: [days, slots, K]; residuals: [days, slots].

    Returns:
        carry [horizon_days, K], and errors [days, horizon_days, slots] of forecasts whose first target is that day, nan where
        unknown.
    """
    days, slots, width = states.shape
    carry = torch.zeros(horizon_days, width, dtype=states.dtype)
    errors = torch.full((days, horizon_days, slots), torch.nan, dtype=states.dtype)
    shrink = CARRY_SHRINKAGE * torch.eye(width, dtype=states.dtype)
    for ahead in range(horizon_days):
        begins = torch.arange(min(SETTLED, days // 4), days - 1 - ahead)
        if not len(begins):
            continue
        target = residuals[begins + 1 + ahead]
        known = torch.isfinite(target).all(dim=1)
        z, r = states[begins[known]].reshape(-1, width), target[known].reshape(-1)
        carry[ahead] = torch.linalg.solve(z.T @ z + shrink, z.T @ r)
        errors[begins + 1, ahead] = target - states[begins] @ carry[ahead]
    return carry, errors
