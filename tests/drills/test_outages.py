"""The drills of feeds, servers and clocks, and how a drill tells that a promise was broken."""

import pytest

from forecasting.drills import DRILLS
from forecasting.drills.playing import Drill, play
from forecasting.drills.sandbox import Sandbox, need
from forecasting.drills.story import LIMIT_S, Story
from forecasting.drills.workshop import Workshop
from tests.conftest import need as skip_unless

NAMES = ("weather-down", "bad-series", "clock-wrong", "mlflow-down", "prefect-down", "schedule-stops")
ALSO = [pytest.param(name, marks=pytest.mark.costly) for name in ("late-data", "feed-down")]
"""What they show, `tests/journey/test_tiers.py` shows too."""


@pytest.mark.parametrize("name", [*NAMES, *ALSO])
def test_what_is_promised_holds(workshop: Workshop, name: str) -> None:
    outcome = play(name, DRILLS[name], workshop)
    skip_unless(outcome.played, outcome.told)
    assert outcome.held, outcome
    assert outcome.tier == "champion"
    assert 0 < outcome.recovery_s <= LIMIT_S


def test_a_broken_promise_and_a_drill_that_cannot_be_played_are_told(workshop: Workshop) -> None:
    def breaks(sandbox: Sandbox, story: Story) -> None:
        story.step("day 1 is not run")
        sandbox.ready(sandbox.day(1))

    broken = play("broken", Drill("", "", breaks), workshop)
    assert (broken.held, broken.played, len(broken.steps)) == (False, True, 1)
    assert "the newest forecast of town is as of" in broken.told
    assert not (workshop.root / "broken").exists(), "the sandbox is gone"
    impossible = play("impossible", Drill("", "", lambda _sandbox, _story: need(None, "a machine on the moon")), workshop)
    assert (impossible.held, impossible.played, impossible.told) == (False, False, "needs a machine on the moon")
