import math

import pytest

from forecasting.choosing import elect
from forecasting.predicting import Score


def scored(pinball_mwh: float) -> Score:
    return Score(pinball_mwh=pinball_mwh, newest_week_pinball_mwh=1.0, mape_percent=3.0, mase=0.7, coverage_80=0.8, windows=43)


@pytest.mark.parametrize(("candidate", "champion", "promoted"), [(1999, 2000, True), (2000, 2000, True), (2001, 2000, False)])
def test_the_candidate_wins_unless_its_loss_is_worse(candidate: float, champion: float, promoted: bool) -> None:
    election = elect(scored(candidate), scored(champion))
    assert election.promoted is promoted
    assert election.reason.startswith("promoted" if promoted else "kept the champion")


def test_the_reason_names_both_losses_and_the_windows() -> None:
    reason = elect(scored(1234.4), scored(2345.6)).reason
    assert "1,234 MWh" in reason
    assert "2,346 MWh" in reason
    assert "43 windows" in reason


def test_only_the_pinball_loss_decides() -> None:
    worse_elsewhere = Score(pinball_mwh=1000, newest_week_pinball_mwh=9.0, mape_percent=9, mase=2, coverage_80=0.1, windows=43)
    assert elect(worse_elsewhere, scored(1001)).promoted


def test_the_first_candidate_wins() -> None:
    assert elect(scored(5000), None).promoted
    assert "no champion" in elect(scored(5000), None).reason
    assert "its files are gone" in elect(scored(5000), None, "its files are gone").reason


def test_a_candidate_without_a_finite_loss_never_wins() -> None:
    assert not elect(scored(math.nan), scored(2000)).promoted
    assert not elect(scored(math.nan), None).promoted
    assert not elect(scored(math.inf), None).promoted


def test_a_champion_without_a_finite_loss_is_replaced() -> None:
    assert elect(scored(2000), scored(math.nan)).promoted
