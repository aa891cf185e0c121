"""Weather paths: what the coming days may bring, from what followed like days of past years."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SEASON_DAYS = 30
"""Analogs begin at most so many days from the same day of the year."""
LIKENESS_C = 4.0
"""How far the anomalies of the last days of an analog may lie off; half again as much for the two days before the last."""
LAG_DAYS = 3
DRIFT_SHRINKAGE = 150.0
FEWEST = 20
"""With fewer analogs of the season, those of any season serve."""
EVENING = 0.9
"""From this share of the day on, temperatures before the origin tell most of the next day: whether a change has come."""


@dataclass(frozen=True)
class Analogs:
    """Anomalies from the climatology of all days known, C [days, slots], nan where unknown."""

    anomalies: Tensor
    day_of_year: np.ndarray
    horizon_days: int

    def begins(self, position: int) -> np.ndarray:
        """Where analogs for an origin may begin: known throughout, and over before the origin."""
        whole = torch.isfinite(self.anomalies).all(dim=1).numpy()
        broken = np.concatenate([[0], np.cumsum(~whole)])
        first = np.arange(LAG_DAYS, position - self.horizon_days + 1)
        known: np.ndarray = first[broken[first + self.horizon_days] == broken[first - LAG_DAYS]]
        return known

    def lately(self, positions: np.ndarray) -> Tensor:
        """What the days before each position were like: daily means of the last three, and the last evening [positions, 4], C."""
        daily = self.anomalies.mean(dim=1)
        evening = self.anomalies[:, int(EVENING * self.anomalies.shape[1]) :].mean(dim=1)
        at = torch.from_numpy(positions)
        return torch.stack([daily[at - 1], daily[at - 2], daily[at - 3], evening[at - 1]], dim=-1)

    def following(self, positions: np.ndarray) -> Tensor:
        """The anomalies from each position on: [positions, horizon_days, slots]."""
        return self.anomalies[torch.from_numpy(positions[:, None] + np.arange(self.horizon_days))]

    def drift(self, until: int) -> Tensor:
        """How the coming anomalies follow from the last ones, by lead and slot: [4, horizon_days * slots]."""
        begins = self.begins(until)
        lately = self.lately(begins)
        shrink = DRIFT_SHRINKAGE * torch.eye(lately.shape[1], dtype=torch.float64)
        drift: Tensor = torch.linalg.solve(lately.T @ lately + shrink, lately.T @ self.following(begins).flatten(1))
        return drift

    def drawn(self, position: int, count: int, lately: Tensor | None, generator: np.random.Generator) -> tuple[np.ndarray, float]:
        """Beginnings of analogs of the season, the likelier the nearer; and the sd of daily anomalies among them (C).

        Args:
            lately: what the last days were like [4]; None where that is not to be known.
        """
        begins = self.begins(position)
        if not len(begins):
            return begins, 0.0
        off = np.abs(self.day_of_year[begins] - self.day_of_year[position - 1] - 1)
        off = np.minimum(off, 366 - off)
        if (off <= SEASON_DAYS).sum() >= FEWEST:
            begins, off = begins[off <= SEASON_DAYS], off[off <= SEASON_DAYS]
            weight = 1 - (off / (SEASON_DAYS + 1)) ** 2
        else:
            weight = np.ones(len(begins))
        if lately is not None:
            gap = (self.lately(begins) - lately).numpy()
            last, earlier = gap[:, 0] / LIKENESS_C, gap[:, 1:3].mean(axis=1) / (1.5 * LIKENESS_C)
            weight = weight * np.exp(-0.5 * (last**2 + earlier**2)) + 1e-4
        share = np.cumsum(weight / weight.sum())
        drawn = begins[np.searchsorted(share, (np.arange(count) + generator.random()) / count).clip(max=len(begins) - 1)]
        generator.shuffle(drawn)
        return drawn, float(self.anomalies[torch.from_numpy(begins)].mean(dim=1).std(correction=0))
