"""`fortnight serve`: one process tree that answers, looks after itself, and goes away whole."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from zoneinfo import ZoneInfo

import psutil
import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.store import embedded
from tests.journey.commands import environment, fortnight
from tests.servers import free_ports

PATIENCE_S = 150
GONE_S = 60
COMMAND = [sys.executable, "-m", "forecasting.cli", "serve"]


def wait_until(condition: Callable[[], object], what: str, limit_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s} s for {what}"
        time.sleep(0.5)


@dataclass
class Served:
    """A `fortnight serve` that runs: where its parts answer, what it wrote, who pinged."""

    home: Path
    process: subprocess.Popen[bytes]
    page: str
    mlflow: str
    prefect: str
    log: Path
    pings: list[str]
    settings: dict[str, str]

    def answers(self, url: str) -> bool:
        try:
            return requests.get(url, timeout=5).ok
        except requests.RequestException:
            return False

    def tree(self) -> list[psutil.Process]:
        """Everything that works for this state folder, Postgres among it."""
        return [each for each in psutil.process_iter(["cmdline"]) if str(self.home) in " ".join(each.info["cmdline"] or [])]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    page, mlflow, prefect = free_ports(3)
    pings, lock = list[str](), Lock()

    def take(request: Request) -> Response:
        with lock:
            pings.append(request.path)
        return Response("OK")

    due = datetime.now(ZoneInfo("Australia/Melbourne")) - timedelta(hours=3)
    with HTTPServer() as receiver:
        receiver.expect_request("/ping/secret-of-the-heartbeat").respond_with_handler(take)
        settings = environment(
            home,
            FORTNIGHT_SERVE__PAGE_PORT=str(page),
            FORTNIGHT_SERVE__MLFLOW_PORT=str(mlflow),
            FORTNIGHT_SERVE__PREFECT_PORT=str(prefect),
            FORTNIGHT_SERVE__AT=json.dumps([f"{due:%H:%M}"]),
            FORTNIGHT_SERVE__HEARTBEAT_URL=receiver.url_for("/ping/secret-of-the-heartbeat"),
        )
        log = home / "serve.log"
        with log.open("wb") as file:
            process = subprocess.Popen(COMMAND, env=settings, stdout=file, stderr=file)
        addresses = [f"http://127.0.0.1:{port}" for port in (page, mlflow, prefect)]
        found = Served(home, process, *addresses, log, pings, settings)
        try:
            yield found
        finally:
            process.kill()
            process.wait()
            wait_until(lambda: not found.tree(), "the parts to go", GONE_S)
            subprocess.run(["rm", "-rf", str(home)], check=True)


def test_all_parts_answer_and_an_overdue_run_is_begun_without_prefect(served: Served) -> None:
    """Nothing has been published since the last due time, so the caretaker does not wait for Prefect, which starts slowly."""
    wait_until(lambda: served.answers(f"{served.page}/health"), "a fresh forecast, as the page tells it")
    wait_until(lambda: served.answers(f"{served.mlflow}/health"), "MLflow")
    wait_until(lambda: served.answers(f"{served.prefect}/api/health"), "Prefect")
    told = fortnight(
        served.home, "psql", "--", "-Atc", "SELECT DISTINCT started_by, outcome FROM published.run WHERE job = 'publish'"
    )
    assert told.stdout.strip() == "caretaker|done"
    assert requests.get(served.page, timeout=30).text.count("Simulated demand") > 0


def test_the_schedule_is_on_the_local_clock(served: Served) -> None:
    url = f"{served.prefect}/api/deployments/filter"
    wait_until(
        lambda: served.answers(f"{served.prefect}/api/health") and requests.post(url, json={}, timeout=10).json(), "the worker"
    )
    (deployment,) = requests.post(url, json={}, timeout=10).json()
    (schedule,) = (each["schedule"] for each in deployment["schedules"])
    at = json.loads(served.settings["FORTNIGHT_SERVE__AT"])[0]
    assert (schedule["cron"], schedule["timezone"]) == (f"{int(at[3:])} {int(at[:2])} * * *", "Australia/Melbourne")
    assert deployment["parameters"] == {"series": ["simulated"]}

    def scheduled() -> object:
        wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "sort": "EXPECTED_START_TIME_ASC"}
        return requests.post(f"{served.prefect}/api/flow_runs/filter", json=wanted, timeout=10).json()

    wait_until(scheduled, "a scheduled run")


def test_the_heartbeat_is_sent_while_all_is_well(served: Served) -> None:
    wait_until(lambda: served.pings, "a ping from the caretaker's next look")
    assert set(served.pings) == {"/ping/secret-of-the-heartbeat"}


def test_a_second_one_is_refused(served: Served) -> None:
    wait_until((served.home / "serve" / "supervisord.pid").exists, "the supervisor")
    done = subprocess.run(COMMAND, env=served.settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 75, done.stderr
    assert "is served by process" in done.stderr


def test_what_it_tells_a_machine_is_json_without_secrets(served: Served) -> None:
    text = served.log.read_text()
    ours = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    runs = {line.get("run_id") for line in ours if line["logger"].startswith("forecasting.jobs.publish")}
    assert len(runs) == 1
    assert None not in runs
    assert "secret-of-the-heartbeat" not in text


def test_a_part_that_dies_comes_back(served: Served) -> None:
    def keeper() -> psutil.Process | None:
        for each in psutil.Process(served.process.pid).children():
            with suppress(psutil.Error):  # a child that has just died
                if "caretaker" in " ".join(each.cmdline()):
                    return each
        return None

    before = keeper()
    assert before is not None
    before.send_signal(signal.SIGKILL)
    wait_until(lambda: (now := keeper()) is not None and now.pid != before.pid, "another caretaker", 30)


def test_killed_it_leaves_nothing_behind_and_begins_again(served: Served) -> None:
    """SIGKILL of the supervisor: every part gets SIGTERM by the kernel, Postgres is stopped, and a new start finds all free."""
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    wait_until(lambda: not served.tree(), "everything to go", GONE_S)
    assert not embedded.is_running(served.home)
    again = subprocess.Popen(COMMAND, env=served.settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: served.answers(f"{served.page}/health"), "the page after a restart")
    again.terminate()
    assert again.wait(GONE_S) is not None
    wait_until(lambda: not served.tree(), "a clean stop", 10)
