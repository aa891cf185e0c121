"""Who becomes champion, branch by branch."""

import math

import numpy as np
import pytest

from forecasting.choosing import Entrant, elect

DAYS = 56


def entrant(family: str, mean_mwh: float, *, baseline: bool = False, noise: float = 0.0, seed: int = 0) -> Entrant:
    """Losses that scatter around a mean, the same scatter for the same seed."""
    scatter = np.random.default_rng(seed).standard_normal(DAYS)
    losses = mean_mwh * (1 + noise * (scatter - scatter.mean()))
    return Entrant(family, losses, baseline)


def entrants(*given: Entrant) -> dict[str, Entrant]:
    return {each.family: each for each in given}


NAIVE = entrant("weekly_naive", 3000, baseline=True)


@pytest.mark.parametrize(("fresh", "promoted"), [(1900, True), (2000, True), (2019, True), (2021, False)])
def test_a_fresh_fit_of_the_champions_family_succeeds_it_within_the_tolerance(fresh: float, promoted: bool) -> None:
    election = elect(entrants(entrant("net", fresh), NAIVE), entrant("net", 2000))
    assert (election.contender, election.promoted) == ("net", promoted)
    assert election.reason.startswith("promoted" if promoted else "kept the champion")
    assert f"{fresh:,} MWh against the champion's 2,000 MWh (net)" in election.reason
    assert "on the same 56 days" in election.reason


def test_another_family_must_be_clearly_better() -> None:
    champion = entrant("net", 2000)
    assert elect(entrants(entrant("other", 1900), entrant("net", 2000), NAIVE), champion).contender == "other"
    close = elect(entrants(entrant("other", 1985), entrant("net", 2000), NAIVE), champion)
    assert close.contender == "net", "0.75 % is too little, and the fresh fit of its own family follows"
    assert close.promoted
    alone = elect(entrants(entrant("other", 1985), NAIVE), champion)
    assert not alone.promoted
    assert "of the resampled weeks; 1% less and 90% are needed" in alone.reason


def test_another_family_must_be_better_in_most_of_the_weeks() -> None:
    """The same mean gain, once on every day and once by luck on a few."""
    champion = entrant("net", 2000)
    lucky = np.full(DAYS, 2030.0)
    lucky[20:24] = 2030 - 80 * DAYS / 4
    assert lucky.mean() == pytest.approx(1950)
    steady = elect(entrants(entrant("other", 1950), NAIVE), champion)
    assert steady.promoted
    assert "100% sure" in steady.reason
    assert not elect(entrants(Entrant("other", lucky), NAIVE), champion).promoted


def test_what_loses_to_a_baseline_is_not_elected() -> None:
    champion = entrant("net", 3100)
    election = elect(entrants(entrant("net", 3099), entrant("weekly_naive", 3090, baseline=True)), champion)
    assert not election.promoted
    assert "the fresh net loses to weekly_naive" in election.reason
    clear = elect(entrants(entrant("net", 3099), entrant("weekly_naive", 2500, baseline=True)), champion)
    assert (clear.contender, clear.promoted) == ("weekly_naive", True), "a baseline that is clearly better becomes champion"


def test_the_first_champion_is_the_best_and_the_ranking_is_told() -> None:
    election = elect(entrants(entrant("net", 2500), entrant("other", 2000), NAIVE), None)
    assert (election.contender, election.promoted) == ("other", True)
    assert "there was no champion" in election.reason
    assert "other 2,000, net 2,500, weekly_naive 3,000" in election.reason
    assert "its files are gone" in elect(entrants(NAIVE), None, "its files are gone").reason


@pytest.mark.parametrize("loss", [math.nan, math.inf])
@pytest.mark.parametrize("champion", [None, entrant("net", 2000)])
def test_a_candidate_without_a_finite_loss_never_wins(loss: float, champion: Entrant | None) -> None:
    broken = Entrant("net", np.array([1000.0] * (DAYS - 1) + [loss]))
    assert not elect(entrants(broken), champion).promoted
    assert elect(entrants(broken, NAIVE), champion).contender != "net"


def test_a_champion_without_a_finite_loss_is_replaced() -> None:
    election = elect(entrants(entrant("net", 2000), NAIVE), Entrant("net", np.full(DAYS, math.nan)))
    assert election.promoted
    assert "the champion's loss is nan" in election.reason


def test_the_same_losses_make_the_same_election() -> None:
    given = entrants(entrant("other", 1960, noise=0.3, seed=1), entrant("net", 2000, noise=0.3, seed=2), NAIVE)
    champion = entrant("net", 2000, noise=0.3, seed=3)
    assert elect(given, champion) == elect(given, champion)
