"""Who becomes champion. Pure: scores in, a decision with its reason out."""

import math
from dataclasses import dataclass

from forecasting.predicting import Score


@dataclass(frozen=True, slots=True)
class Election:
    """Whether the candidate becomes champion, and why, in words for the modeller."""

    promoted: bool
    reason: str


def elect(candidate: Score, champion: Score | None, why_no_champion: str = "there was no champion") -> Election:
    """The candidate wins when its validation loss, on the same windows, is not worse than the champion's.

    A candidate without a finite loss never wins; a champion without one is no champion.
    """
    if not math.isfinite(candidate.pinball_mwh):
        return Election(False, f"refused: the candidate's loss is {candidate.pinball_mwh}")
    if champion is None:
        return Election(True, f"promoted: {why_no_champion}")
    if not math.isfinite(champion.pinball_mwh):
        return Election(True, f"promoted: the champion's loss is {champion.pinball_mwh}")
    better = candidate.pinball_mwh <= champion.pinball_mwh
    comparison = (
        f"pinball {candidate.pinball_mwh:,.0f} MWh against the champion's {champion.pinball_mwh:,.0f} MWh "
        f"on the same {candidate.windows} windows"
    )
    return Election(better, f"{'promoted' if better else 'kept the champion'}: {comparison}")
