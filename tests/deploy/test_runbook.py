"""The runbook's commands for here are run, in order, in one state folder; see also `test_runbook_words`."""

import contextlib
import contextvars
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
import yaml
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from forecasting.cli import app
from forecasting.domain import Finding
from forecasting.jobs.alerting import record
from forecasting.service import open_service
from forecasting.settings import load_settings
from forecasting.store import embedded
from tests.conftest import CHECKOUT, need
from tests.deploy.runbook import BLOCKS, HERE, PLACEHOLDER, Block
from tests.journey.commands import QUICK
from tests.servers import find_postgres_binaries, free_ports, run_tcp_server

SERIES = "simulated"
EXPECTED = {
    ("First five minutes", "fortnight status"): 1,
    ("First five minutes", "fortnight alerts"): 2,
    ("First five minutes", "fortnight alerts ALERT_ID"): 2,
    ("Restore", "FORTNIGHT_HOME=/srv/fortnight fortnight status"): 1,
}
"""Exit codes other than 0, while a page fires: the text of the runbook explains them."""
COMMAND = """#!/usr/bin/env bash
case $1 in psql | serve) exec {python} -m forecasting.cli "$@" ;; esac
[ ! -e {called} ] # one a line
{{ printf '%s\\0' "$#" "$@" && env -0; }} >{called}
"""
"""What bash calls for fortnight: it writes down with what, but for what becomes another program."""


@dataclass
class World:
    """A service as an operator finds it: a state folder after a daily run, its page, and a server of PostgreSQL beside it."""

    home: Path
    beside: Path
    page: str
    server: dict[str, str]

    @property
    def called(self) -> Path:
        return self.beside / "called"

    def filled(self, line: str) -> str:
        """A line with what its placeholders stand for here."""
        return PLACEHOLDER.sub(lambda found: self._value(found[0]), line)

    def _value(self, name: str) -> str:
        match name:
            case "ALERT_ID":
                return str(self.alert())
            case "SILENCE_ID" | "ISSUE":
                return "1"
            case "VERSION":
                return str(self.other_version())
            case "FILE":
                return str(self.backup())
        return {
            "SERIES": SERIES,
            "TEXT": "'seen by a test'",
            "PASSWORD": self.server["password"],
            "SECRETS": str(self.beside / "secrets"),
            "DB_HOST": self.server["host"],
            "DB_PORT": self.server["port"],
            "/backups": str(self.beside / "backups"),
            "/srv/": f"{self.beside}/",
            "127.0.0.1:4300": self.page,
        }[name]

    def alert(self) -> int:
        """A page that fires."""
        settings, now = load_settings(), datetime.now(UTC)
        with open_service(settings, now) as service:
            bad = Finding("readings_stale", SERIES, True, now, "page", "the next reading is 50 hours overdue, 36 are allowed")
            record(service, [bad], now)
            return max(each.alert_id or 0 for each in service.store.alerts.listed(now) if each.is_open)

    def other_version(self) -> int:
        """One that is not champion."""
        with open_service(load_settings(), datetime.now(UTC)) as service:
            reigning = service.store.versions.reigning()[f"fortnight-{SERIES}-daily"]
        return 3 - reigning

    def backup(self) -> Path:
        if not (found := sorted((self.beside / "backups").glob("*.tar"))):
            run(self, f"fortnight backup --to {self.beside / 'backups'}")
            found = sorted((self.beside / "backups").glob("*.tar"))
        return found[-1]


@pytest.fixture(scope="module")
def world(empty_mlflow: Path) -> Iterator[World]:
    home, beside = (Path(tempfile.mkdtemp(prefix="fn-")) for _ in range(2))
    (home / "mlflow").mkdir()
    shutil.copy(empty_mlflow, home / "mlflow")
    (binary := beside / "bin").mkdir()
    (binary / "fortnight").write_text(COMMAND.format(python=sys.executable, called=beside / "called"))
    (binary / "fortnight").chmod(0o755)
    (port,) = free_ports(1)
    environment = {
        **QUICK,
        "FORTNIGHT_MODEL__CANDIDATES": '["weekly_naive", "same_weekday_mean"]',
        "FORTNIGHT_HOME": str(home),
        "FORTNIGHT_SERVE__PAGE_PORT": str(port),
        "PATH": f"{binary}:{os.environ['PATH']}",
    }
    binaries = find_postgres_binaries()
    need(binaries, "a PostgreSQL server, 15 or later, from the distribution")
    assert binaries is not None
    (database := beside / "database").mkdir()
    beside.chmod(0o755)
    password = secrets.token_urlsafe(12)
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        server = conninfo_to_dict(stack.enter_context(run_tcp_server(binaries, database, password)))
        found = World(home, beside, f"127.0.0.1:{port}", {name: str(server[name]) for name in ("host", "port", "password")})
        page = subprocess.Popen(["fortnight", "serve", "page"], cwd=CHECKOUT, stderr=subprocess.DEVNULL)
        try:
            run(found, f"fortnight daily --source {SERIES}")
            found.alert()
            wait_for(f"http://{found.page}/health")
            yield found
        finally:
            page.terminate()
            page.wait()
            for folder in (home, *(path.parent for path in beside.glob("*/postgres"))):
                embedded.stop(folder)
    shutil.rmtree(home)
    shutil.rmtree(beside)


def wait_for(url: str, limit_s: float = 60) -> None:
    began_s = time.monotonic()
    while time.monotonic() - began_s < limit_s:
        with contextlib.suppress(requests.ConnectionError):
            assert requests.get(url, timeout=10).ok
            return
        time.sleep(0.2)
    pytest.fail(f"{url} does not answer")


def run(world: World, line: str, code: int = 0) -> None:
    """A command line as bash reads it. Where that calls fortnight, its arguments and variables are handed to it in this process,
    which saves seconds."""
    world.called.unlink(missing_ok=True)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=CHECKOUT, capture_output=True, text=True, timeout=120)
    if not world.called.exists():
        assert done.returncode == code, f"{line}: {done.stdout}{done.stderr}"
        return
    count, *told = world.called.read_text().removesuffix("\0").split("\0")
    arguments, variables = told[: int(count)], dict(each.split("=", 1) for each in told[int(count) :])
    ours: dict[str, str | None] = dict.fromkeys(name for name in os.environ if name.startswith("FORTNIGHT_"))
    ours |= {name: value for name, value in variables.items() if name.startswith("FORTNIGHT_")}
    ended = contextvars.copy_context().run(CliRunner().invoke, app, arguments, env=ours)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), f"{line}: {ended.exception!r}"
    assert ended.exit_code == code, f"{line}: {ended.output}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == HERE], ids=str)
def test_commands_run(world: World, block: Block) -> None:
    exported = ""
    for line in block.lines:
        if line.startswith("export "):
            exported = f"{exported}{line}; "
        elif line != "fortnight drill NAME":  # each is played by the tests of drills
            run(world, world.filled(f"{exported}{line}"), EXPECTED.get((str(block), line), 0))


def test_rules_for_prometheus_name_metrics_that_there_are(world: World) -> None:
    (block,) = (block for block in BLOCKS if block.language == "yaml")
    (group,) = yaml.safe_load(block.content)["groups"]
    scraped = requests.get(f"http://{world.page}/metrics", timeout=30).text
    for rule in group["rules"]:
        for name in re.findall(r"fortnight_\w+", rule["expr"]):
            assert re.search(rf"^{name}[ {{]", scraped, re.MULTILINE), name
        for name, value in re.findall(r'(\w+)="(\w+)"', rule["expr"]):
            assert f'{name}="{value}"' in scraped
