"""Secrets are planted wherever one can be given, and the real thing is run until much of it fails: none may be found anywhere."""

import base64
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import psycopg
import pytest
import requests
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.errors import RegistryError
from forecasting.jobs import silent
from forecasting.jobs.alerting import record
from forecasting.jobs.caretaker import ping
from forecasting.jobs.doctor import examine
from forecasting.page import create_app
from forecasting.registry import Registry
from forecasting.service import Service
from forecasting.settings import Settings, load_settings
from forecasting.store import Store
from forecasting.store.reader import Reader
from tests.alerts.builders import START, finding, register
from tests.conftest import need
from tests.journey.commands import QUICK
from tests.page.world import served
from tests.security.telltale import CONTROL, MARK, ProcessList, encoded, forms, in_files, places, planted
from tests.servers import find_postgres_binaries, free_ports, run_tcp_server

SERIES = f"simulated-{CONTROL}"
LIMIT_S = 240.0
TOLD = ("403", "ENTSO-E", "table.csv", "authentication failed", f"Simulated {CONTROL}")
"""By the flow, of series that fail and of the one that does not."""
CHEAP = {
    "FORTNIGHT_MODEL__CANDIDATES": '["weekly_naive"]',
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_TRACKING_USERNAME": "",  # what the registry sets goes away with the test
    "MLFLOW_TRACKING_PASSWORD": "",
}

CONFIG = """
[web]
tries = 1
timeout_s = 2

[alerts.channels.mail]
url_env = "OPS_MAIL"

[[series]]
id = "{series}"
name = "Simulated {control}"
region = "AU-VIC"
time_zone = "Australia/Melbourne"
source = "simulated"

[[series]]
id = "eia"
name = "EIA"
region = "US-NY"
time_zone = "UTC"
interval_minutes = 60
source = "eia"
options = {{ respondent = "NYIS", url = "{web}/echo" }}

[[series]]
id = "entsoe"
name = "ENTSO-E"
region = "FR"
time_zone = "Europe/Paris"
interval_minutes = 60
source = "entsoe"
options = {{ country_code = "FR" }}

[[series]]
id = "table"
name = "A table behind a password"
region = "AU-VIC"
time_zone = "Australia/Melbourne"
source = "csv"
options = {{ path = "{table}" }}

[[series]]
id = "query"
name = "Another database"
region = "AU-VIC"
time_zone = "Australia/Melbourne"
source = "sql"
options = {{ dsn_env = "OTHER_DSN", query = "SELECT %(since)s, 1.0, %(until)s" }}
"""


def echo(request: Request) -> Response:
    """A server that is out of order and repeats all that it was told."""
    told = f"{request.url} {dict(request.headers)} {request.get_data(as_text=True)}"
    return Response(told, status=500 if "hook" in request.path else 403)


@dataclass
class World:
    """A database behind a password, a state folder, and what commands said."""

    home: Path
    dsn: str
    server_log: Path
    outputs: dict[int, BinaryIO] = field(default_factory=dict)
    said: list[bytes] = field(default_factory=list)

    def begin(self, *arguments: str, **more: str) -> "subprocess.Popen[bytes]":
        output = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would hold a server up
        command, nothing = [sys.executable, "-m", "forecasting.cli", *arguments], subprocess.DEVNULL
        process = subprocess.Popen(command, env={**os.environ, **more}, stdin=nothing, stdout=output, stderr=subprocess.STDOUT)
        self.outputs[process.pid] = output
        return process

    def end(self, process: "subprocess.Popen[bytes]") -> str:
        try:
            process.wait(LIMIT_S)
        finally:
            process.kill()
            output = self.outputs.pop(process.pid)
            output.seek(0)
            self.said.append(output.read())
            output.close()
        return self.said[-1].decode()

    def run(self, *arguments: str, **more: str) -> str:
        return self.end(self.begin(*arguments, **more))

    def rows(self) -> bytes:
        """Every row of every table and view, and what the server itself keeps of logins and sessions."""
        told = []
        with psycopg.connect(self.dsn) as connection:
            relations = connection.execute(
                """SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'v') AND n.nspname IN ('fortnight', 'published', 'public')
                   UNION ALL SELECT unnest(ARRAY['pg_authid', 'pg_stat_activity', 'pg_db_role_setting'])"""
            ).fetchall()
            for (relation,) in relations:
                rows = connection.execute(f"SELECT t::text FROM {relation} AS t").fetchall()
                told.append(f"{relation}: {rows}".encode())
        return b"\n".join(told)


@pytest.fixture
def server() -> Iterator[tuple[Path, str, str]]:
    """A Postgres that logs every statement: its folder, the superuser's DSN and the service's own."""
    binaries = find_postgres_binaries()
    need(binaries, "a PostgreSQL server, 15 or later, from the distribution")
    assert binaries is not None
    folder, password = Path(tempfile.mkdtemp(prefix="fn-")), planted("database").replace("'", "")
    with run_tcp_server(binaries, folder, password=password) as dsn:
        root = make_conninfo(dsn, user="postgres", dbname="postgres")
        with psycopg.connect(root, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE fortnight OWNER migrator")
        yield folder, make_conninfo(root, dbname="fortnight"), make_conninfo(dsn, dbname="fortnight")
    shutil.rmtree(folder)


@pytest.fixture
def world(
    prefect_server: None,
    server: tuple[Path, str, str],
    empty_mlflow: Path,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Secrets everywhere, and servers that repeat them."""
    for path in ("/echo", "/table.csv", "/hook"):
        httpserver.expect_request(path).respond_with_handler(echo)
    home, config = Path(tempfile.mkdtemp(prefix="fn-")), Path(tempfile.mkdtemp(prefix="fn-")) / "settings.toml"
    (home / "mlflow").mkdir()
    shutil.copy(empty_mlflow, home / "mlflow")
    web = f"127.0.0.1:{httpserver.port}"
    table = f"http://reader:{encoded(planted('table'))}@{web}/table.csv?key={encoded(planted('query'))}"
    config.write_text(CONFIG.format(series=SERIES, control=CONTROL, web=f"http://{web}", table=table))
    variables = planted_variables(conninfo_to_dict(server[2]), web)
    for name, value in {**QUICK, **CHEAP, **variables, "FORTNIGHT_HOME": str(home), "FORTNIGHT_CONFIG": str(config)}.items():
        monkeypatch.setenv(name, value)
    yield World(home, server[1], server[0] / "server.log")
    shutil.rmtree(home)
    shutil.rmtree(config.parent)


def planted_variables(login: dict[str, str | int | None], web: str) -> dict[str, str]:
    """A secret in every variable that may hold one."""
    database, password, port = f"127.0.0.1:{login['port']}", planted("serve"), free_ports(1)[0]
    hook = f"json://ops:{encoded(planted('hookuser'))}@{web}/hook?+X-Token={encoded(planted('token'))}"
    return {
        "FORTNIGHT_DATABASE_URL": f"postgresql://{login['user']}:{encoded(str(login['password']))}@{database}/fortnight",
        "FORTNIGHT_SERVE__PASSWORD": password,
        "FORTNIGHT_SERVE__MLFLOW_PORT": str(port),
        "FORTNIGHT_SERVE__MLFLOW_DATABASE_URL": f"postgresql+psycopg://mlflow:{encoded(planted('mlflow'))}@{database}/mlflow",
        "FORTNIGHT_SERVE__PREFECT_DATABASE_URL": f"postgresql+asyncpg://prefect:{encoded(planted('prefect'))}@{database}/prefect",
        "FORTNIGHT_SERVE__HEARTBEAT_URL": f"http://{web}/echo/{encoded(planted('heartbeat'))}",
        "FORTNIGHT_MLFLOW_TRACKING_URI": f"http://fortnight:{encoded(password)}@127.0.0.1:{port}",
        "FORTNIGHT_ALERTS__CHANNELS__HOOK__URL": hook,
        "OPS_MAIL": f"mailto://ops:{encoded(planted('mail'))}@127.0.0.1:9?to=ops@example.org&from=us@example.org&mode=insecure",
        "EIA_API_KEY": planted("eia"),
        "ENTSOE_API_KEY": planted("entsoe"),
        "OTHER_DSN": f"postgresql://stranger:{encoded(planted('dsn'))}@{database}/fortnight",
    }


@contextmanager
def mlflow_served(world: World) -> Iterator[None]:
    """MLflow behind the password of `serve`, over the store of the state folder. It ends when this process does."""
    process = world.begin("serve", "mlflow", FORTNIGHT_MLFLOW_TRACKING_URI="", FORTNIGHT_SERVE__MLFLOW_DATABASE_URL="")
    try:
        url, deadline = f"http://127.0.0.1:{os.environ['FORTNIGHT_SERVE__MLFLOW_PORT']}/health", time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                requests.get(url, timeout=8)
                break
            except requests.RequestException:
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        world.end(process)


def leave_messages(settings: Settings) -> None:
    """One page that waits for every channel."""
    with Store(os.environ["FORTNIGHT_DATABASE_URL"]) as store:
        register(store, ["vic"])
        record(Service(settings, store, START), [finding()], START)


def run_flow() -> None:
    """The daily flow of all series, as the worker runs it: one of them comes to its end."""
    from flows.daily import FLOWS

    state = FLOWS["daily"](as_of="2024-03-01", return_state=True)
    assert state.is_failed()


def of_prefect() -> tuple[Path, str]:
    """The folder of Prefect's database, and all of its rows once the log has come."""
    from prefect.settings import get_current_settings

    url = get_current_settings().server.database.connection_url
    assert url is not None
    path, deadline = Path(url.get_secret_value().partition("///")[2]), time.monotonic() + 60
    while True:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            told = "\n".join(database.iterdump())
        if all(words in told for words in TOLD) or time.monotonic() > deadline:
            return path.parent, told
        time.sleep(0.5)


def ask_page(settings: Settings) -> list[bytes]:
    """What the page shows to who may see it, and to who may not."""
    login = ("fortnight", os.environ["FORTNIGHT_SERVE__PASSWORD"])
    app = create_app(Reader(os.environ["FORTNIGHT_DATABASE_URL"]), settings, lambda: datetime(2024, 3, 1, 12, tzinfo=UTC))
    with served(app) as address:
        assert requests.get(address, timeout=60).status_code == 401
        answers = [requests.get(address + path, auth=login, timeout=60) for path in ("/", "/metrics", "/health")]
    return [f"{answer.headers}\n{answer.text}".encode() for answer in answers]


def test_the_search_finds_every_form() -> None:
    for before in ("", "x", "xy"):
        secret = f"{before}{MARK}{before}"
        for told in (
            secret.encode(),
            encoded(f"/{secret}%").encode(),
            secret.upper().encode(),
            secret.encode().hex().encode(),
            base64.b64encode(f"user:{secret}".encode()),
            base64.urlsafe_b64encode(secret.encode()),
            json.dumps({"key": secret}).encode(),
            "".join(f"%{byte:02X}" for byte in secret.encode()).encode(),
        ):
            assert places(b"before " + told + b" after"), told
    assert not places(b"nothing of the kind, tell tale or dGVsbA==")
    assert min(len(form) for form in forms(MARK)) >= 8


def run_everything(world: World) -> None:
    """What works, and what is out of order."""
    settings, uri = load_settings(), os.environ["FORTNIGHT_MLFLOW_TRACKING_URI"]
    with mlflow_served(world):
        assert "made, role reader" in world.run("access", "ann", FORTNIGHT_NEW_PASSWORD=planted("login"))
        leave_messages(settings)
        wrong = f"http://{encoded(planted('intruder'))}:{encoded(planted('guess'))}@{uri.rpartition('@')[2]}"
        run_flow()
        checks = examine(load_settings(mlflow_tracking_uri=wrong), (), START, silent)
        assert {"MLflow", "eia: eia"} <= {check.name for check in checks if not check.passed}
        world.said.append(str(checks).encode())
        assert "FAILS" in world.run("notify", "--test", FORTNIGHT_LOG_FORMAT="json")
    try:
        Registry(settings.home, uri)  # it is gone now
    except RegistryError:
        world.said.append(traceback.format_exc().encode())
    place = conninfo_to_dict(world.dsn)["port"]
    for log_format, url in (
        ("human", f"postgresql://migrator:{encoded(planted('wrong'))}@127.0.0.1:{place}/fortnight"),
        ("json", f"postgresql://migrator:{planted('malformed')}@[::1/fortnight"),
    ):
        assert "error" in world.run("status", FORTNIGHT_DATABASE_URL=url, FORTNIGHT_LOG_FORMAT=log_format)
    world.run("psql", "--", "-c", f"SELECT pg_sleep(0.5), '{CONTROL}'")
    assert not ping(settings)


def test_no_secret_is_told_anywhere(world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("entsoe")
    caplog.set_level(logging.ERROR, "werkzeug")  # the feeds of the test write down what they were asked
    processes = ProcessList()
    processes.start()
    run_everything(world)
    shown = ask_page(load_settings())
    processes.ended.set()
    processes.join()
    folder, of_flows = of_prefect()
    for failure in TOLD:
        assert failure in of_flows, failure
    looked_at = {
        "output": b"\n".join(world.said),
        "output of this process": "".join(capfd.readouterr()).encode(),
        "rows": world.rows(),
        "rows of Prefect": of_flows.encode(),
        "page": b"\n".join(shown),
        "processes": processes.text(),
        "log of the server": world.server_log.read_bytes(),
    }
    for place, content in looked_at.items():
        assert not places(content), f"{place}: {places(content)[:3]}"
        assert place.startswith("output") or places(content, CONTROL), f"the search of {place} finds nothing"
    assert in_files(world.server_log.parent).keys() == {"secret"}  # where the test's server got its password from
    assert in_files(folder) == {}
    assert in_files(world.home) == {}
    kept = in_files(world.home, CONTROL)
    for place in ("mlflow/mlflow.db", "mlflow/artifacts"):
        assert any(path.startswith(place) for path in kept), f"the search of {place} finds nothing: {list(kept)}"
