"""Daily runs of many series, all started at once: RUNS_AT_ONCE=20 python -m pytest tests/benchmarks/test_many_series.py -s

2 cores: 20 runs for 20 series of a year, 2 candidates each: 181 s, 20 issues, 40 versions, beside other work
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forecasting.store import embedded
from tests.journey.commands import CANDIDATES, environment, state_of

RUNS = int(os.environ.get("RUNS_AT_ONCE", "0"))
AS_OF = "2024-03-01"


@pytest.mark.skipif(not RUNS, reason="asked for by RUNS_AT_ONCE=20: it takes minutes and gigabytes")
def test_runs_of_many_series_at_once_all_complete(folder: Path) -> None:
    series = [f"simulated-{number}" for number in range(RUNS)]
    described = [
        {"id": each, "name": each, "region": "DE", "time_zone": "Europe/Berlin", "source": "simulated", "options": {"seed": number}}
        for number, each in enumerate(series)
    ]
    settings = environment(folder, FORTNIGHT_SERIES=json.dumps(described), FORTNIGHT_INGEST__HISTORY_DAYS="365")
    embedded.ensure_running(folder)
    began = time.monotonic()
    command = [sys.executable, "-m", "forecasting.cli", "daily", "--as-of", AS_OF, "--series"]
    runs = [subprocess.Popen([*command, each], env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for each in series]
    told = [run.communicate(timeout=1800)[1].decode() for run in runs]
    seconds = time.monotonic() - began
    assert [run.returncode for run in runs] == [0] * RUNS, told
    found = state_of(folder)
    assert found["issues"] == RUNS
    assert found["values"] == 14 * RUNS
    assert found["versions"] == len(CANDIDATES) * RUNS
    assert found["runs"] == ["FINISHED"] * ((1 + len(CANDIDATES)) * RUNS)
    print(f"{RUNS} runs at once: {seconds:.0f} s, {found['issues']} issues, {found['versions']} versions")  # noqa: T201 - with -s
