"""Who becomes champion. Pure: losses in, a decision with its reason out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.01
"""A fresh fit of the champion's own family may be worse by this share of the champion's loss: it knows newer days."""
CONFIDENCE = 0.9
"""Another family must be better in this share of the resampled weeks."""
BLOCK_DAYS = 7
RESAMPLES = 2000
CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Entrant:
    """Losses by target day [days], the same days for all entrants; `family` is what they are of."""

    family: str
    losses: np.ndarray
    baseline: bool = False

    @property
    def loss(self) -> float:
        return float(self.losses.mean())


@dataclass(frozen=True, slots=True)
class Election:
    """The contender of a retrain, whether it becomes champion, and why, in words for the modeller."""

    contender: str
    promoted: bool
    reason: str


def elect(candidates: Mapping[str, Entrant], champion: Entrant | None, why_no_champion: str = "there was no champion") -> Election:
    """Choose among freshly fitted candidates and the champion, all judged on the same recent out-of-sample days.

    The candidate of the champion's own family succeeds it unless it is worse by more than TOLERANCE. A candidate of another family
    must be better by more than TOLERANCE, and better in CONFIDENCE of the resamples of whole weeks (paired moving-block bootstrap,
    Kuensch 1989): neighbouring days err alike. What loses to a baseline is not elected. A loss that is not finite never wins; a
    champion without one is no champion.

    Raises:
        ValueError: no candidate at all.
    """
    sound = {name: entrant for name, entrant in candidates.items() if np.isfinite(entrant.losses).all()}
    if not sound:
        first = next(iter(candidates))
        return Election(first, promoted=False, reason=f"refused: the loss of {first} is {candidates[first].loss}")
    ranked = sorted(sound, key=lambda name: sound[name].loss)
    best = ranked[0]
    if champion is not None and not np.isfinite(champion.losses).all():
        why_no_champion, champion = f"the champion's loss is {champion.loss}", None
    if champion is None:
        return Election(best, promoted=True, reason=f"promoted: {why_no_champion}; {_ranking(sound, ranked)}")
    own = next((name for name in ranked if sound[name].family == champion.family), None)
    sure = ""
    if best != own:
        chance, gain = _chance_better(sound[best], champion), 1 - sound[best].loss / champion.loss
        if gain > TOLERANCE and chance >= CONFIDENCE:
            return Election(best, promoted=True, reason=f"promoted: {_against(best, sound[best], champion)}, {chance:.0%} sure")
        sure = f"better in {chance:.0%} of the resampled weeks; {TOLERANCE:.0%} less and {CONFIDENCE:.0%} are needed"
    if own is None:
        return Election(best, promoted=False, reason=f"kept the champion: {_against(best, sound[best], champion)}, {sure}")
    beaten = [name for name in ranked if sound[name].baseline and sound[name].loss < sound[own].loss and name != own]
    if beaten:
        return Election(
            own, promoted=False, reason=f"kept the champion: the fresh {own} loses to {beaten[0]}; {_ranking(sound, ranked)}"
        )
    kept = sound[own].loss > champion.loss * (1 + TOLERANCE)
    words = "kept the champion" if kept else "promoted"
    return Election(own, promoted=not kept, reason=f"{words}: {_against(own, sound[own], champion)}")


def _chance_better(entrant: Entrant, champion: Entrant) -> float:
    """Share of resamples, blocks of consecutive days drawn with replacement, in which the entrant's mean loss is lower."""
    gain = champion.losses - entrant.losses
    block = min(BLOCK_DAYS, len(gain))
    blocks = np.lib.stride_tricks.sliding_window_view(gain, block).mean(axis=1)
    drawn = np.random.default_rng(0).integers(len(blocks), size=(RESAMPLES, -(-len(gain) // block)))
    return float((blocks[drawn].mean(axis=1) > 0).mean())


def _against(name: str, entrant: Entrant, champion: Entrant) -> str:
    return (
        f"{name} has pinball {entrant.loss:,.0f} MWh against the champion's {champion.loss:,.0f} MWh ({champion.family}) "
        f"on the same {len(entrant.losses)} days"
    )


def _ranking(entrants: Mapping[str, Entrant], ranked: list[str]) -> str:
    return "pinball in MWh: " + ", ".join(f"{name} {entrants[name].loss:,.0f}" for name in ranked)
