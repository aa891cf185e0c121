"""Demand as regressions see it: relative to its mean, as a logarithm where it is far from zero."""

from dataclasses import dataclass

from torch import Tensor

LEAST_SHARE = 0.01
"""Demand below this share of its mean has no useful logarithm: such a series is modelled as it is."""


@dataclass(frozen=True, slots=True)
class LogLevel:
    """log(demand / mean), or demand / mean of a series that comes near zero."""

    mean_mwh: float
    logarithmic: bool

    @classmethod
    def fit(cls, demand_mwh: Tensor) -> "LogLevel":
        mean = float(demand_mwh.mean())
        if mean <= 0:  # more fed back than drawn: its scale is its spread
            return cls(max(float(demand_mwh.abs().mean()), 1e-9), logarithmic=False)
        return cls(mean, bool(demand_mwh.min() > LEAST_SHARE * mean))

    def forward(self, demand_mwh: Tensor) -> Tensor:
        return (demand_mwh / self.mean_mwh).log() if self.logarithmic else demand_mwh / self.mean_mwh

    def back(self, level: Tensor) -> Tensor:
        """The demand of a level, MWh."""
        return (level.exp() if self.logarithmic else level) * self.mean_mwh
