"""Losses of what was published, of one series and of all pooled, kept until new readings or forecasts come."""

import time
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from forecasting.page.drift import Drift, drift_of, losses_of, pool, reach_days
from forecasting.page.memory import Memory
from forecasting.settings import DriftSettings
from forecasting.store.published import Pair, Standing
from forecasting.store.reader import Published
from forecasting.watching.realised import RealisedLoss

BUDGET_S = 4.0
"""With very many series the first looks read some of them each, and none takes too long."""


class Losses:
    """Reads pairs of forecasts and what happened, and judges them."""

    def __init__(self, settings: DriftSettings, leads_shown: Sequence[int], memory: Memory) -> None:
        self.settings = settings
        self.leads = sorted({*range(1, settings.leads + 1), *leads_shown})
        self.memory = memory

    def pairs(self, published: Published, standing: Standing) -> list[Pair]:
        """Of the days that the drift is judged from, and of the leads that are judged or shown."""
        if standing.origin is None:
            return []
        since = standing.origin.astimezone(standing.zone).date() - timedelta(days=reach_days(self.settings))
        return self.memory.get(self._key(standing), lambda: published.pairs(standing.series_id, since, self.leads))

    def is_read(self, standing: Standing) -> bool:
        """Whether its pairs are known already, and cost nothing."""
        return self._key(standing) in self.memory

    def drift(self, published: Published, standing: Standing) -> Drift:
        """Of one series; losses in MWh."""
        pairs = self.pairs(published, standing)
        return self.memory.get(("drift", standing.version), lambda: drift_of(losses_of(pairs, self.settings.leads), self.settings))

    def pooled(self, published: Published, standings: Sequence[Standing]) -> tuple[Drift, int]:
        """Of all series together, and how many of them could not be read yet; losses as shares of a mean day."""
        begun, read = time.perf_counter(), []
        for standing in standings:
            if self.is_read(standing) or time.perf_counter() - begun < BUDGET_S:
                self.pairs(published, standing)
                read.append(standing)
        key = ("pool", *(standing.version for standing in read))
        return self.memory.get(key, lambda: self._pool(published, read)), len(standings) - len(read)

    def _pool(self, published: Published, standings: Sequence[Standing]) -> Drift:
        losses: dict[str, list[RealisedLoss]] = {}
        scales: dict[str, float] = {}
        for standing in standings:
            pairs = self.pairs(published, standing)
            if pairs:
                losses[standing.series_id] = losses_of(pairs, self.settings.leads)
                scales[standing.series_id] = float(np.mean([pair.actual for pair in pairs]))
        return pool(losses, scales, self.settings)

    def _key(self, standing: Standing) -> tuple[object, ...]:
        return ("pairs", *standing.version)
