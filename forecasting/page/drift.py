"""How the losses of what was published stand, from what is published: the ratios, their limits, and the evidence day by day.

The watch judges the same losses by the same scan; it also knows when readings are at fault, and keeps quiet then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from forecasting.settings import DriftSettings, ScanSettings
from forecasting.store.published import Pair
from forecasting.watching.realised import NAIVE, PREDECESSOR, RealisedLoss, judge_realised, pooled
from forecasting.watching.scan import Rise

SHOWN_DAYS = 60
YARDSTICKS = {PREDECESSOR: "its predecessor", NAIVE: "weekly naive"}
RECENT_DAYS = 28


@dataclass(frozen=True)
class Against:
    """Losses beside those of one yardstick.

    days, ratios: of every day with both [days].
    usual: median ratio of the reference days of the newest day; None while there are too few.
    evidence: by day, standard errors by which the most telling window lies above its reference.
    """

    name: str
    days: Sequence[date]
    ratios: np.ndarray
    usual: float | None
    evidence: Mapping[date, float]
    newest: Rise
    limits: ScanSettings


@dataclass(frozen=True)
class Drift:
    """Losses of one series, or of all pooled, as they stand on the newest day."""

    losses: Sequence[RealisedLoss]
    against: Sequence[Against]

    def recent(self) -> tuple[float, float] | None:
        """Mean loss of the newest days, in the unit of the losses, and skill against weekly naive on them."""
        newest = self.losses[-1].day if self.losses else None
        both = [loss for loss in self.losses if newest and loss.day > newest - timedelta(days=RECENT_DAYS) and NAIVE in loss.others]
        naive = sum(loss.others[NAIVE] for loss in both)
        own = sum(loss.model for loss in both)
        return (own / len(both), 1 - own / naive) if naive > 0 else None


def reach_days(settings: DriftSettings) -> int:
    """How many days back the losses are needed."""
    return max(settings.realised.reference_days[0], settings.predecessor.reference_days[0]) + SHOWN_DAYS


def losses_of(pairs: Sequence[Pair], leads: int) -> list[RealisedLoss]:
    """One a target day that has all leads from 1 to `leads`; mean pinball losses, MWh."""
    by_day: dict[date, list[Pair]] = {}
    for pair in pairs:
        if pair.lead <= leads:
            by_day.setdefault(pair.target_day, []).append(pair)
    found = []
    for day, told in sorted(by_day.items()):
        naive = [pair.naive_pinball for pair in told if pair.naive_pinball is not None]
        before = [pair.predecessor_pinball for pair in told if pair.predecessor_pinball is not None]
        if len(told) < leads or len(naive) < leads:
            continue
        others = {NAIVE: float(np.mean(naive))} | ({PREDECESSOR: float(np.mean(before))} if len(before) == leads else {})
        found.append(RealisedLoss(day, float(np.mean([pair.pinball for pair in told])), others))
    return found


def drift_of(losses: Sequence[RealisedLoss], settings: DriftSettings) -> Drift:
    """Judge each of the days shown by itself and all before it."""
    evidence: dict[str, dict[date, float]] = {}
    judged = {}
    first = losses[-1].day - timedelta(days=SHOWN_DAYS) if losses else None
    for end, loss in enumerate(losses, start=1):
        if first is None or loss.day <= first:
            continue
        judged = dict(judge_realised(losses[:end], settings).against)
        for name, rise in judged.items():
            if rise.z is not None:
                evidence.setdefault(name, {})[loss.day] = rise.z
    return Drift(
        losses, [_against(name, losses, judged[name], evidence.get(name, {}), settings) for name in YARDSTICKS if name in judged]
    )


def pool(by_series: Mapping[str, Sequence[RealisedLoss]], scale_mwh: Mapping[str, float], settings: DriftSettings) -> Drift:
    """All series together; losses as shares of a mean day.

    Args:
        scale_mwh: mean energy of a day of each series.
    """
    return drift_of(pooled(by_series, scale_mwh, settings.pool_min_share), settings)


def _against(
    name: str, losses: Sequence[RealisedLoss], newest: Rise, evidence: Mapping[date, float], settings: DriftSettings
) -> Against:
    limits = settings.predecessor if name == PREDECESSOR else settings.realised
    both = [loss for loss in losses if loss.others.get(name, 0.0) > 0 and loss.model > 0]
    ratios = np.array([loss.model / loss.others[name] for loss in both])
    days = [loss.day for loss in both]
    oldest, last = (losses[-1].day - timedelta(days=ago) for ago in limits.reference_days)
    reference = [math.log(ratio) for day, ratio in zip(days, ratios, strict=True) if oldest <= day <= last]
    usual = math.exp(float(np.median(reference))) if len(reference) >= limits.min_reference else None
    return Against(name, days, ratios, usual, evidence, newest, limits)
