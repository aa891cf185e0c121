"""The drills of processes, Postgres and disks that die; and the command that plays them."""

from dataclasses import replace
from functools import partial

import pytest
from typer.testing import CliRunner

from forecasting.cli import app
from forecasting.drills import DRILLS
from forecasting.drills.kills import killed
from forecasting.drills.playing import play
from forecasting.drills.story import LIMIT_S
from forecasting.drills.workshop import Workshop
from forecasting.errors import SettingsError
from tests.conftest import need

KILLS = 2


@pytest.mark.parametrize("name", ["postgres-restarted", "disk-full", "killed", "reboot"])
def test_what_is_promised_holds(workshop: Workshop, name: str) -> None:
    drill = DRILLS[name]
    outcome = play(name, replace(drill, play=partial(killed, times=KILLS)) if name == "killed" else drill, workshop)
    need(outcome.played, outcome.told)
    assert outcome.held, outcome
    assert (outcome.tier, outcome.reason) == ("champion", None)
    assert 0 < outcome.recovery_s <= LIMIT_S


def test_drills_are_listed_and_an_unknown_one_is_refused() -> None:
    listed = CliRunner().invoke(app, ["drill"], env={"COLUMNS": "160"})
    assert listed.exit_code == 0, listed.output
    assert all(name in listed.output for name in DRILLS)
    refused = CliRunner().invoke(app, ["drill", "earthquake"])
    assert isinstance(refused.exception, SettingsError)
    assert "there is no drill 'earthquake'" in str(refused.exception)
