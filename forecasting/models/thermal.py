"""How temperature moves demand: degrees beyond thresholds, of the air now and of what walls and people remember of it."""

import math

import torch
from torch import Tensor

MEMORIES_H = (0.0, 3.0, 8.0, 24.0, 72.0)
"""Time constants of exponential averages of temperature, in hours; 0 is the temperature itself."""
WARM_C = ((18, 22, 26, 30, 35), (18, 22, 26, 30), (18, 22, 26, 30), (18, 22, 26), (16, 20, 24))
COLD_C = ((18, 14, 10, 5, 0, -8), (18, 14, 10, 5, 0, -8), (18, 14, 10, 5, 0, -8), (18, 14, 10, 5, 0, -8), (16, 12, 5, -5))
"""Thresholds for each memory: demand for cooling grows above the warm ones, for heating below the cold ones. Degrees are not
standardised: hot days are rare, and a shrunken coefficient must mean the same in every climate."""
TERMS = sum(len(warm) + len(cold) for warm, cold in zip(WARM_C, COLD_C, strict=True))
WARM_UP_DAYS = 9
"""After so many days the longest memory has forgotten where it began (e^-3)."""


def remembered(temperature_c: Tensor, hours: float) -> Tensor:
    """Exponential average of temperatures over time, beginning at the first.

    Args:
        temperature_c: [paths, days, slots].

    Returns:
        the same shape.
    """
    if hours == 0:
        return temperature_c
    days, slots = temperature_c.shape[1:]
    keep = math.exp(-24 / slots / hours)
    steps = torch.arange(slots, dtype=temperature_c.dtype)
    lag = steps[:, None] - steps  # [to, from]
    within = torch.where(lag >= 0, (1 - keep) * keep ** lag.clamp(min=0), 0.0)
    carried = keep ** (steps + 1)
    state = temperature_c[:, 0, :1]
    found = torch.empty_like(temperature_c)
    for day in range(days):
        found[:, day] = temperature_c[:, day] @ within.T + state * carried
        state = found[:, day, -1:]
    return found


def degree_terms(temperature_c: Tensor) -> Tensor:
    """Degrees beyond each threshold.

    Args:
        temperature_c: [paths, days, slots].

    Returns:
        [paths, days, slots, TERMS], C.
    """
    terms = []
    for hours, warm, cold in zip(MEMORIES_H, WARM_C, COLD_C, strict=True):
        felt = remembered(temperature_c, hours)
        terms += [(felt - threshold).clamp(min=0) for threshold in warm]
        terms += [(threshold - felt).clamp(min=0) for threshold in cold]
    return torch.stack(terms, dim=-1)


def thermal_effect(temperature_c: Tensor, coefficients: Tensor, warm_up_days: int) -> Tensor:
    """What temperature adds to log demand, term by term so that the terms of many paths are never held together.

    Args:
        temperature_c: [paths, warm_up_days + days, slots].
        coefficients: [slots, TERMS].

    Returns:
        [paths, days, slots].
    """
    effect = torch.zeros_like(temperature_c[:, warm_up_days:])
    term = 0
    for hours, warm, cold in zip(MEMORIES_H, WARM_C, COLD_C, strict=True):
        felt = remembered(temperature_c, hours)[:, warm_up_days:]
        for threshold in warm:
            effect.addcmul_((felt - threshold).clamp_(min=0), coefficients[:, term])
            term += 1
        for threshold in cold:
            effect.addcmul_((threshold - felt).clamp_(min=0), coefficients[:, term])
            term += 1
    return effect


def seasonal_fit(values: Tensor, day_of_year: Tensor) -> Tensor:
    """Two annual harmonics, shrunk, fitted to values [days, slots] slot by slot, without days that hold a nan: [5, slots]."""
    whole = torch.isfinite(values).all(dim=1)
    waves, kept = seasonal_waves(day_of_year[whole]), values[whole]
    shrink = torch.diag(torch.tensor([1e-9, 5.0, 5.0, 20.0, 20.0], dtype=torch.float64))
    coefficients: Tensor = torch.linalg.solve(waves.T @ waves + shrink, waves.T @ kept)
    return coefficients


def seasonal_waves(day_of_year: Tensor) -> Tensor:
    """Constant and two annual harmonics [days, 5]."""
    angle = 2 * math.pi * (day_of_year.double() - 1) / 365.25
    return torch.stack([torch.ones_like(angle), angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos()], dim=-1)
