"""Log demand as a sum of calendar, trend, temperature and what is alike on like days, slot by slot; and how its errors live on."""

from dataclasses import dataclass

import torch
from torch import Tensor

FOLD_DAYS = 28
"""Residuals of training days come from fits that left out the stretch of so many days around them."""
THERMAL_SHRINKAGE = 20.0
"""For coefficients of degrees (C), beside 1 for an ordinary calendar flag."""
TREND_SHRINKAGE = 10.0
"""For the change of log demand a year."""
MEMORIES_DAYS = (1, 3, 7, 20, 60)
"""Time constants of the averages of past residuals that a forecast starts from; 1 is the last residual itself."""
CARRY_SHRINKAGE = 3.0
SETTLED = 30
"""Days before the averages of residuals mean anything."""


@dataclass(frozen=True)
class DemandFit:
    """coefficients: [slots, F], of a design; weights: [days, slots], of the days that a day may be like, zero on days that were not
    fitted; residuals: [days, slots], out of sample, nan on days that were not fitted."""

    coefficients: Tensor
    weights: Tensor
    residuals: Tensor


def fit_demand(flags: Tensor, terms: Tensor, shrinkage: Tensor, alike: Tensor, log_demand: Tensor, use: Tensor) -> DemandFit:
    """Of each slot by itself, a ridge regression and a Gaussian process on what it leaves, in one (universal kriging; Rasmussen and
    Williams 2006, 2.7), with the residual of each fold as if it had been left out (their 5.4.2, of a block).

    Args:
        flags: [days, F1], shared by the slots; terms: [days, slots, F2]; shrinkage: [F1 + F2]; alike: covariance of the process
            beside a noise of 1 [days, days]; log_demand: [days, slots]; use: [days], which days to learn from.
    """
    days = torch.nonzero(use).squeeze(1)
    precision = torch.linalg.inv(alike[days][:, days] + torch.eye(len(days), dtype=alike.dtype))
    fit = DemandFit(
        torch.empty(log_demand.shape[1], len(shrinkage), dtype=log_demand.dtype),
        torch.zeros_like(log_demand),
        torch.full_like(log_demand, torch.nan),
    )
    folds = torch.unique_consecutive(days // FOLD_DAYS, return_counts=True)[1].tolist()
    for slot in range(log_demand.shape[1]):
        design = torch.cat([flags[days], terms[days, slot]], dim=1)  # [N, F]
        weighted = precision @ torch.cat([design, log_demand[days, slot, None]], dim=1)
        of_design, of_demand = weighted[:, :-1], weighted[:, -1]
        gram = torch.linalg.cholesky(design.T @ of_design + torch.diag(shrinkage))
        solved = torch.cholesky_solve(torch.cat([of_design.T, (design.T @ of_demand)[:, None]], dim=1), gram)
        fit.coefficients[slot] = solved[:, -1]
        fit.weights[days, slot] = of_demand - of_design @ solved[:, -1]
        first = 0
        for count in folds:
            fold = slice(first, first + count)
            within = precision[fold, fold] - of_design[fold] @ solved[:, fold]
            fit.residuals[days[fold], slot] = torch.linalg.solve(within, fit.weights[days[fold], slot])
            first += count
    return fit


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
