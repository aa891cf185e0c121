"""The command as a user meets it: its own process, its own Postgres, one line for each mistake."""

import json
import re
import subprocess
import sys
from pathlib import Path

from forecasting.store import Store, embedded
from tests.journey.commands import DAILY, environment, fortnight, refused


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
    refused(fortnight(folder, "daily", "--source", "tarot"), "unknown source 'tarot'", "aemo, csv")
    refused(fortnight(folder, "ingest", "--source", "csv"), "series vic", "give --path FILE")
    refused(fortnight(folder, "daily", "--as-of", "yesterday"), "'yesterday'", "2014-01-31")
    refused(fortnight(folder, "publish", "--series", "vic"), "series vic has no readings known", "fortnight ingest")
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
    refused(early, "no readings known", "ingest first")
    refused(fortnight(folder, "daily", "--path", str(vic_csv), "--as-of", "2012-02-01"), "too little history", "later --as-of")


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
    alerts = ("alerts", "ack", "silence", "silences", "unsilence", "notify")
    for command in (*jobs, *alerts, "show", "status", "doctor", "psql", "mlflow", "prefect", "stop", "migrate"):
        assert command in text
