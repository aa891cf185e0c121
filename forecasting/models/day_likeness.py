"""How alike two days are: what a regression on degrees leaves is alike on days of like weather, season and kind."""

import math

import torch
from torch import Tensor, nn

PARTS = 8
"""Parts of a day whose mean temperatures count."""
FADING = (1.0, 0.7, 0.4)
"""What the weather of a day, of the day before and of the one before that counts."""
VARIANCE, REACH_C, REACH_DAYS, REACH_FREE = 0.5, 6.0, 120.0, 2.0
"""Of the process, beside a noise of 1; and how far temperatures, seasons and free days reach."""
WIDTH = sum((PARTS, PARTS, 1)) + 3
LOOK_BACK_DAYS = 2


def day_traits(temperature_c: Tensor, day_of_year: Tensor, free: Tensor) -> Tensor:
    """What days are compared by: mean temperatures of the parts of a day and of the one before, the mean of the day before that,
    the season as a place on a circle, and whether it is a free day.

    Args:
        temperature_c: [paths, LOOK_BACK_DAYS + days, slots].
        day_of_year, free: [days].

    Returns:
        [paths, days, WIDTH].
    """
    paths, days = temperature_c.shape[0], len(day_of_year)
    parts = nn.functional.adaptive_avg_pool1d(temperature_c, PARTS) / math.sqrt(PARTS)
    daily = temperature_c.mean(dim=2, keepdim=True)
    angle = 2 * math.pi * day_of_year.to(temperature_c.dtype) / 365.25
    circle = torch.stack([angle.sin(), angle.cos()], dim=-1) * 365.25 / (2 * math.pi)
    known = torch.cat([circle, free.to(temperature_c.dtype)[:, None]], dim=-1)
    return torch.cat(
        [FADING[0] * parts[:, 2:], FADING[1] * parts[:, 1:-1], FADING[2] * daily[:, :-2], known.expand(paths, days, -1)], dim=-1
    )


def likeness(traits: Tensor, others: Tensor) -> Tensor:
    """Covariance of what is left on days and on others: [..., D, WIDTH] and [N, WIDTH] to [..., D, N]."""
    reach = torch.tensor([REACH_C] * (WIDTH - 3) + [REACH_DAYS] * 2 + [REACH_FREE], dtype=traits.dtype)
    return VARIANCE * torch.exp(-0.5 * _squared(traits / reach, others / reach))


def _squared(left: Tensor, right: Tensor) -> Tensor:
    """Squared distances [..., D, N]."""
    both = (left**2).sum(dim=-1, keepdim=True) + (right**2).sum(dim=-1)
    return (both - 2 * left @ right.T).clamp(min=0)
