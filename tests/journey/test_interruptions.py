"""Killed, interrupted, or started twice: the next run completes what was begun, and nothing is half-written or doubled."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from forecasting.store import embedded
from tests.journey.commands import CANDIDATES, DAILY, environment, state_of

ONE_DAY = {"issues": 1, "values": 14, "versions": len(CANDIDATES), "runs": ["FINISHED"] * (1 + len(CANDIDATES))}
"""A parent run, and a run and a version of each candidate."""


def test_of_two_runs_at_once_one_works_and_the_other_says_so(folder: Path) -> None:
    embedded.ensure_running(folder)
    command = [sys.executable, "-m", "forecasting.cli", *DAILY]
    both = [
        subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    assert sorted(process.returncode for process in both) == [0, 75], told
    loser = next(err for process, (_, err) in zip(both, told, strict=True) if process.returncode == 75)
    assert loser.startswith("error: series simulated: already running")
    assert state_of(folder) == ONE_DAY


@pytest.mark.parametrize("module", ["forecasting.cli", pytest.param("flows", marks=pytest.mark.costly)])
def test_ctrl_c_ends_a_run_with_one_line(folder: Path, module: str) -> None:
    """As a terminal sends it: to the whole process group, so Prefect's temporary server gets it too."""
    command = [sys.executable, "-m", module, *DAILY]
    more = {"FORTNIGHT_TRAINING__EPOCHS": "100000"}
    process = subprocess.Popen(command, env=environment(folder, **more), stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    seen = next(line for line in process.stderr if "new, 0 corrected" in line)  # ingested: now it trains
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, seen + told
    assert "interrupted; nothing is half-written" in told
    assert "Traceback" not in told
