"""The command as a user meets it: its own process, its own Postgres."""

import json
import os
import subprocess
import sys
from pathlib import Path

from forecasting.registry import Registry
from forecasting.store import Store, embedded

Finished = subprocess.CompletedProcess[str]
CANDIDATES = ("weekly_naive", "seq2seq_attention")
QUICK = {
    "FORTNIGHT_TRAINING__EPOCHS": "2",
    "FORTNIGHT_MODEL__CANDIDATES": json.dumps(CANDIDATES),
    "FORTNIGHT_INGEST__HISTORY_DAYS": "200",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "160",
}
DAILY = ("daily", "--source", "simulated", "--as-of", "2024-03-01")


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, **QUICK, "FORTNIGHT_HOME": str(home), **more}


def fortnight(home: Path, *arguments: str, **more: str) -> Finished:
    command = [sys.executable, "-m", "forecasting.cli", *arguments]
    return subprocess.run(command, env=environment(home, **more), capture_output=True, text=True, timeout=120)


def refused(done: Finished, *told: str) -> None:
    """Exit code 2 and one error line, which is the last, without a traceback."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert [line.startswith("error: ") for line in lines] == [False] * (len(lines) - 1) + [True], done.stderr
    assert "Traceback" not in done.stderr
    for words in told:
        assert words in lines[-1]


def state_of(home: Path) -> dict[str, object]:
    """What there is of forecasts and models, in Postgres and in MLflow."""
    with Store(embedded.ensure_running(home)) as store:
        row = store.connection.execute(
            """
            SELECT (SELECT count(*) FROM fortnight.forecast_issue), (SELECT count(*) FROM fortnight.forecast_value),
                   (SELECT count(*) FROM fortnight.model_version)
            """
        ).fetchone()
    assert row is not None
    client = Registry(home, None).client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = [run.info.status for run in client.search_runs(experiments)]
    return {"issues": row[0], "values": row[1], "versions": row[2], "runs": runs}
