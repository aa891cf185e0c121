"""The drills of processes, Postgres and disks that die; and the command that plays them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from forecasting.drills import DRILLS
from forecasting.drills.kills import killed
from forecasting.drills.playing import play
from forecasting.drills.sandbox import Workshop
from forecasting.drills.story import LIMIT_S
from tests.conftest import need
from tests.journey.commands import fortnight, refused

KILLS = 3


@pytest.mark.parametrize("name", ["postgres-restarted", "disk-full", "killed", "reboot"])
def test_what_is_promised_holds(workshop: Workshop, name: str) -> None:
    drill = DRILLS[name]
    outcome = play(name, replace(drill, play=partial(killed, times=KILLS)) if name == "killed" else drill, workshop)
    need(outcome.played, outcome.told)
    assert outcome.held, outcome
    assert (outcome.tier, outcome.reason) == ("champion", None)
    assert 0 < outcome.recovery_s <= LIMIT_S


def test_drills_are_listed_and_an_unknown_one_is_refused(folder: Path) -> None:
    listed = fortnight(folder, "drill")
    assert listed.returncode == 0, listed.stderr
    assert all(name in listed.stdout for name in DRILLS)
    refused(fortnight(folder, "drill", "earthquake"), "there is no drill 'earthquake'", "weather-down")
    assert not any(folder.iterdir()), "the user's state is not touched"
