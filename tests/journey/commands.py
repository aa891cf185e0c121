"""The command as a user meets it: its own process, its own Postgres."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Protocol

from forecasting.cli import main, running
from forecasting.registry import Registry
from forecasting.store import Store, embedded

Finished = subprocess.CompletedProcess[str]
LIMIT_S = 120
CANDIDATES = ("weekly_naive", "seq2seq_attention")
QUICK = {
    "FORTNIGHT_TRAINING__EPOCHS": "2",
    "FORTNIGHT_MODEL__CANDIDATES": json.dumps(CANDIDATES),
    "FORTNIGHT_INGEST__HISTORY_DAYS": "200",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "160",
}
DAILY = ("daily", "--source", "simulated", "--as-of", "2024-03-01")


WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["tests.journey.commands", "forecasting.jobs.daily", "forecasting.jobs.watch", "forecasting.report"])


class Duplicate(Protocol):
    """An open file on its way to another process."""

    def detach(self) -> int: ...


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, **QUICK, "FORTNIGHT_HOME": str(home), **more}


def fortnight(home: Path, *arguments: str, **more: str) -> Finished:
    """Run the command in a process of its own, forked from one that has imported what takes seconds to import."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = WARM.Process(target=_run, args=(arguments, environment(home, **more), DupFd(out.fileno()), DupFd(err.fileno())))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(["fortnight", *arguments], LIMIT_S)
        for file in (out, err):
            file.seek(0)
        return Finished(["fortnight", *arguments], process.exitcode, out.read(), err.read())


def _run(arguments: Sequence[str], variables: Mapping[str, str], out: Duplicate, err: Duplicate) -> None:
    for name in [name for name in os.environ if name.startswith(("FORTNIGHT_", "PREFECT_"))]:
        del os.environ[name]
    os.environ.update(variables)
    os.dup2(out.detach(), 1)
    os.dup2(err.detach(), 2)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    for console in (running.out, running.err):  # which looked at the environment when they were made
        console.width = int(variables["COLUMNS"])
    sys.argv = ["fortnight", *arguments]
    main()


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
