"""The command as a user meets it: its own process, its own Postgres, one line for each mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forecasting.registry import Registry
from forecasting.store import Store, embedded

Finished = subprocess.CompletedProcess[str]
QUICK = {"FORTNIGHT_TRAINING__EPOCHS": "2", "FORTNIGHT_INGEST__HISTORY_DAYS": "200", "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
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


def test_daily_shows_the_forecast_and_its_picture(folder: Path) -> None:
    done = fortnight(folder, *DAILY)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED, not real" in done.stdout
    assert len(re.findall(r"│ +\d+ │ \w{3} \d\d \w{3} 2024", done.stdout)) == 14
    picture = Path(re.search(r"picture: (.+)", done.stdout)[1])  # type: ignore[index]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Traceback" not in done.stderr

    counted = fortnight(folder, "psql", "--", "-Atc", "SELECT count(*), min(lead), max(lead) FROM published.forecast_latest")
    assert counted.stdout.strip() == "14|1|14"
    assert "14" in fortnight(folder, "show").stdout
    assert "Postgres stopped" in fortnight(folder, "stop").stdout


def test_the_flow_runs_from_the_command_line(folder: Path) -> None:
    command = [sys.executable, "-m", "flows", *DAILY]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED, not real" in done.stdout
    broken = [sys.executable, "-m", "flows", "daily", "--path", str(folder / "none.csv")]
    refused(subprocess.run(broken, env=environment(folder), capture_output=True, text=True, timeout=60), "none.csv", "--path")


def test_mistakes_are_one_line_with_the_remedy(folder: Path) -> None:
    table = folder / "table.csv"
    table.write_text("time,load\n2024-01-01T00:00Z,1\n")
    refused(fortnight(folder, "daily", "--path", str(folder / "none.csv")), "no such file", "none.csv", "--path")
    refused(fortnight(folder, "daily", "--path", str(table)), "'interval_start'", "time, load", "fortnight.toml")
    refused(fortnight(folder, "daily", "--series", "narnia"), "unknown series 'narnia'", "simulated, vic")
    refused(fortnight(folder, "daily", "--source", "tarot"), "unknown source 'tarot'", "csv, simulated")
    refused(fortnight(folder, "ingest", "--source", "csv"), "series vic", "give --path FILE")
    refused(fortnight(folder, "daily", "--as-of", "yesterday"), "'yesterday'", "2014-01-31")
    refused(fortnight(folder, "publish", "--series", "vic"), "never been ingested", "fortnight ingest")
    refused(fortnight(folder, "daily", FORTNIGHT_EPOCHS="3"), "FORTNIGHT_EPOCHS", "FORTNIGHT_TRAINING")
    refused(fortnight(folder, "show", FORTNIGHT_DATABASE_URL="mysql://x"), "malformed", "postgresql://")
    dsn = "postgresql://me:hidden@127.0.0.1:1/power"
    down = fortnight(folder, "show", FORTNIGHT_DATABASE_URL=dsn)
    refused(down, "'power' at 127.0.0.1:1", "refused", "FORTNIGHT_DATABASE_URL")
    assert "hidden" not in down.stderr
    refused(fortnight(folder / ("deep" * 30), "daily"), "too long for a socket", "FORTNIGHT_HOME")
    with Store(embedded.ensure_running(folder)) as store:
        assert store.readings.stored_ids() == []


def test_real_files_have_a_first_day(folder: Path, vic_csv: Path) -> None:
    refused(
        fortnight(folder, "daily", "--path", str(vic_csv), "--as-of", "2011-06-01"),
        "no demand of series vic",
        "choose an --as-of after",
    )
    early = fortnight(folder, "retrain", "--path", str(vic_csv), "--as-of", "2012-02-01")
    refused(early, "never been ingested")
    refused(fortnight(folder, "daily", "--path", str(vic_csv), "--as-of", "2012-02-01"), "too little history", "later --as-of")


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
    assert state_of(folder) == {"issues": 1, "values": 14, "versions": 1, "runs": ["FINISHED"]}


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


KILLS = 10


def test_a_run_killed_at_any_moment_is_completed_by_the_next(folder: Path) -> None:
    """Ten moments spread over the run; after each kill the same command is started again and killed later."""
    embedded.ensure_running(folder)
    command = [sys.executable, "-m", "forecasting.cli", *DAILY]
    began = time.monotonic()
    reference = folder / "reference"
    assert fortnight(reference, *DAILY).returncode == 0
    length_s = time.monotonic() - began
    expected = fortnight(reference, "psql", "--", "-Atc", FORECAST).stdout
    fortnight(reference, "stop")

    for moment in range(1, KILLS + 1):
        process = subprocess.Popen(command, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(length_s * moment / (KILLS + 1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        seen = fortnight(folder, "psql", "--", "-Atc", "SELECT count(*) FROM published.forecast_latest").stdout.strip()
        assert seen in ("0", "14", ""), f"a consumer saw {seen} rows after kill {moment}"
    done = fortnight(folder, *DAILY)
    assert done.returncode == 0, done.stderr
    assert state_of(folder) == {"issues": 1, "values": 14, "versions": 1, "runs": ["FINISHED"]}
    assert fortnight(folder, "psql", "--", "-Atc", FORECAST).stdout == expected, "killed or not, the same forecast"


FORECAST = "SELECT lead, target_start, mean, q10, q50, q90 FROM published.forecast_latest ORDER BY lead"


@pytest.mark.parametrize("module", ["forecasting.cli", "flows"])
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


def test_status_and_doctor_tell_how_things_are(folder: Path) -> None:
    refused(fortnight(folder, "status"), "nothing is stored yet; run 'fortnight daily' first")
    assert fortnight(folder, "ingest", "--source", "simulated").returncode == 0
    told = fortnight(folder, "status")
    assert told.returncode == 2, "there is no forecast yet"
    assert "simulated.temperature" in told.stdout
    assert "ALARM simulated: no forecast" in told.stdout
    assert json.loads(fortnight(folder, "status", "--json").stdout)[0]["findings"] == ["no forecast"]
    healthy = fortnight(folder, "doctor")
    assert healthy.returncode == 0, healthy.stdout
    for checked in ("state folder", "database", "MLflow", "simulated: simulated"):
        assert checked in healthy.stdout
    (folder / "fortnight.toml").write_text(
        """
        [[series]]
        id = "down"
        name = "A feed that is down"
        region = "DE"
        time_zone = "Europe/Berlin"
        source = "csv"
        options.path = "http://127.0.0.1:9/demand.csv"
        """
    )
    ill = fortnight(folder, "doctor")
    assert ill.returncode == 1
    assert "FAILS" in ill.stdout
    assert "127.0.0.1" in ill.stdout
    assert "Traceback" not in ill.stderr


def test_a_backfill_reaches_further_back(folder: Path) -> None:
    assert fortnight(folder, "ingest", "--source", "simulated", "--as-of", "2024-03-01").returncode == 0
    stretch = ("backfill", "--series", "simulated", "--from", "2022-01-01", "--to", "2022-02-01")
    done = fortnight(folder, *stretch)
    assert done.returncode == 0, done.stderr
    counted = "SELECT count(*) FROM published.demand_as_of(now()) WHERE interval_start < '2022-02-01'"
    assert fortnight(folder, "psql", "--", "-Atc", counted).stdout.strip() == str(31 * 48)
    refused(fortnight(folder, "backfill", "--from", "2022-02-01", "--to", "2022-01-01"), "is not before")


def test_help_names_every_command(folder: Path) -> None:
    text = fortnight(folder, "--help").stdout
    jobs = ("daily", "ingest", "backfill", "retrain", "publish", "watch")
    for command in (*jobs, "show", "status", "doctor", "psql", "mlflow", "prefect", "stop", "migrate"):
        assert command in text
