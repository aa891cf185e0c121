"""Has the published forecast got worse? Its realised losses beside those of others on the same target days.

A day's loss says more about the weather than about the model. What weather does to all forecasts alike cancels in the ratio to
another forecast of the same days, the better the more alike the two are: on the demand of Victoria the logarithm of one day's ratio
scatters by 0.72 against weekly naive, by 0.58 against another family, and by 0.08 against the predecessor, the same family as it
was fitted four weeks before. So every yardstick has a scan of its own, in units of its own scatter: the predecessor tells within
days that the model in charge got worse; weekly naive tells, more slowly, that everything did. How fast, and how falsely, is
measured in `tests/benchmarks/test_drift_rates.py`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from forecasting.drift import State
from forecasting.settings import DriftSettings
from forecasting.watching.scan import Rise, scan

NAIVE = "weekly_naive"
PREDECESSOR = "predecessor"
"""The same family, as it was fitted some weeks before."""
TINY = 1e-12
ORDER = (State.TOO_EARLY, State.STEADY, State.UNSETTLED, State.DRIFTING)


@dataclass(frozen=True, slots=True)
class RealisedLoss:
    """Pinball losses of one target day over the same leads, in one unit (MWh, or shares where pooled).

    model: of what was published.
    others: by name, of other forecasts from the same origins; `weekly_naive` should be among them. A day may lack some. A name
        stands for one kind of comparison: where another family takes charge, `model` of the days before should be what that family
        forecast then, as a rival. Where it was none, those days tell nothing of it and are to be left out.
    """

    day: date
    model: float
    others: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Realised:
    """What was found against each yardstick."""

    against: Mapping[str, Rise]

    @property
    def state(self) -> State:
        """The gravest of all."""
        return max((found.state for found in self.against.values()), key=ORDER.index, default=State.TOO_EARLY)

    @property
    def drifting(self) -> dict[str, Rise]:
        """The yardsticks against which the loss has risen enough to alarm, the most telling first."""
        high = {name: found for name, found in self.against.items() if found.state is State.DRIFTING}
        return dict(sorted(high.items(), key=lambda item: -(item[1].z or 0.0)))

    def __str__(self) -> str:
        return "; ".join(f"against {name} {found}" for name, found in self.against.items()) or str(State.TOO_EARLY)


def judge_realised(losses: Sequence[RealisedLoss], settings: DriftSettings) -> Realised:
    """Scan the ratio to every yardstick that the newest day has.

    Args:
        losses: one a target day, oldest first; reaching back `settings.realised.reference_days[0]` days.
    """
    if not losses:
        return Realised({})
    found = {}
    for name in losses[-1].others:
        both = [loss for loss in losses if _sound(loss.model) and _sound(loss.others.get(name))]
        ratios = np.array([math.log(max(loss.model, TINY) / max(loss.others[name], TINY)) for loss in both])
        found[name] = scan([loss.day for loss in both], ratios, settings.predecessor if name == PREDECESSOR else settings.realised)
    return Realised(found)


def pooled(by_series: Mapping[str, Sequence[RealisedLoss]], scale_mwh: Mapping[str, float], min_share: float) -> list[RealisedLoss]:
    """One series of losses from many: the mean of each day's losses as shares of the series' own scale, so that no large series
    outweighs the others.

    A day counts where at least `min_share` of the series have a loss, and a yardstick where all of those have one: the mean must be
    over the same series above and below the line.

    Args:
        scale_mwh: mean energy of a day of each series; a series without one, or with none above zero, is left out.
    """
    kept = {name: losses for name, losses in by_series.items() if scale_mwh.get(name, 0.0) > 0}
    days: dict[date, list[tuple[RealisedLoss, float]]] = {}
    for name, losses in kept.items():
        for loss in losses:
            if _sound(loss.model):
                days.setdefault(loss.day, []).append((loss, scale_mwh[name]))
    enough = {day: members for day, members in days.items() if len(members) >= min_share * len(kept)}
    return [
        RealisedLoss(day, _mean(loss.model / scale for loss, scale in members), _shared(members))
        for day, members in sorted(enough.items())
    ]


def _shared(members: Sequence[tuple[RealisedLoss, float]]) -> dict[str, float]:
    names = [name for name in members[0][0].others if all(_sound(loss.others.get(name)) for loss, _ in members)]
    return {name: _mean(loss.others[name] / scale for loss, scale in members) for name in names}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _sound(loss: float | None) -> bool:
    return loss is not None and math.isfinite(loss) and loss >= 0
