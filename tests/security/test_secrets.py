"""Secrets are planted wherever one can be given, and the real thing is run until much of it fails: none may be found anywhere."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.jobs.alerting import record
from forecasting.jobs.caretaker import ping
from forecasting.service import Service
from forecasting.settings import load_settings
from forecasting.store import Store
from tests.alerts.builders import START, finding, register
from tests.conftest import need
from tests.journey.commands import QUICK
from tests.security.telltale import CONTROL, MARK, ProcessList, encoded, forms, in_files, places, planted
from tests.servers import find_postgres_binaries, run_tcp_server

SERIES = f"simulated-{CONTROL}"
LIMIT_S = 240.0
CHEAP = {"FORTNIGHT_MODEL__CANDIDATES": '["weekly_naive"]', "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def echo(request: Request) -> Response:
    """A server that is out of order and repeats all that it was told."""
    told = f"{request.url} {dict(request.headers)} {request.get_data(as_text=True)}"
    return Response(told, status=500 if "hook" in request.path else 403)


@dataclass
class World:
    """A database behind a password, a state folder, and what commands said."""

    home: Path
    dsn: str
    environment: dict[str, str]
    outputs: dict[int, BinaryIO] = field(default_factory=dict)
    said: list[bytes] = field(default_factory=list)

    def begin(self, *command: str, **more: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, **QUICK, **CHEAP, **self.environment, **more}
        output = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would hold a server up
        arguments, nothing = [sys.executable, "-m", *command], subprocess.DEVNULL
        process = subprocess.Popen(arguments, env=environment, stdin=nothing, stdout=output, stderr=subprocess.STDOUT)
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
        return self.end(self.begin("forecasting.cli", *arguments, **more))

    def rows(self) -> bytes:
        """Every row of every table and view, and what the server itself keeps of logins and sessions."""
        told = []
        with psycopg.connect(self.dsn) as connection:
            relations = connection.execute(
                """SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'v') AND (n.nspname IN ('fortnight', 'public') OR c.relname ~ '_v1$')
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
def world(server: tuple[Path, str, str], httpserver: HTTPServer) -> Iterator[World]:
    """Secrets everywhere, and servers that repeat them."""
    httpserver.expect_request("/echo").respond_with_handler(echo)
    httpserver.expect_request("/table.csv").respond_with_handler(echo)
    httpserver.expect_request("/hook").respond_with_handler(echo)
    web = f"http://127.0.0.1:{httpserver.port}"
    parts = conninfo_to_dict(server[2])
    database = f"127.0.0.1:{parts['port']}/fortnight"
    home, config = Path(tempfile.mkdtemp(prefix="fn-")), Path(tempfile.mkdtemp(prefix="fn-")) / "settings.toml"
    table = f"http://reader:{encoded(planted('table'))}@127.0.0.1:{httpserver.port}/table.csv?key={encoded(planted('query'))}"
    config.write_text(CONFIG.format(series=SERIES, control=CONTROL, web=web, table=table))
    hook = f"json://ops:{encoded(planted('hookuser'))}@127.0.0.1:{httpserver.port}/hook?+X-Token={encoded(planted('token'))}"
    password, port = planted("serve"), free_port()
    yield World(
        home,
        server[1],
        {
            "FORTNIGHT_HOME": str(home),
            "FORTNIGHT_CONFIG": str(config),
            "FORTNIGHT_DATABASE_URL": f"postgresql://{parts['user']}:{encoded(str(parts['password']))}@{database}",
            "FORTNIGHT_SERVE__PASSWORD": password,
            "FORTNIGHT_SERVE__MLFLOW_PORT": str(port),
            "FORTNIGHT_SERVE__HEARTBEAT_URL": f"{web}/echo/{encoded(planted('heartbeat'))}",
            "FORTNIGHT_MLFLOW_TRACKING_URI": f"http://fortnight:{encoded(password)}@127.0.0.1:{port}",
            "FORTNIGHT_ALERTS__CHANNELS__HOOK__URL": hook,
            "OPS_MAIL": f"mailto://ops:{encoded(planted('mail'))}@127.0.0.1:9?to=ops@example.org&from=us@example.org&mode=insecure",
            "EIA_API_KEY": planted("eia"),
            "ENTSOE_API_KEY": planted("entsoe"),
            "OTHER_DSN": f"postgresql://{encoded(planted('user'))}:{encoded(planted('dsn'))}@{database}",
        },
    )
    shutil.rmtree(home)
    shutil.rmtree(config.parent)


@contextmanager
def mlflow_served(world: World) -> Iterator[None]:
    """MLflow behind the password of `serve`."""
    process = world.begin("forecasting.cli", "serve", "mlflow", FORTNIGHT_MLFLOW_TRACKING_URI="")
    try:
        port, deadline = int(world.environment["FORTNIGHT_SERVE__MLFLOW_PORT"]), time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        world.end(process)


def leave_messages(world: World) -> None:
    """One page that waits for every channel."""
    settings = load_settings(home=world.home, database_url=world.environment["FORTNIGHT_DATABASE_URL"], alerts=channels(world))
    with Store(settings.database_url.get_secret_value() if settings.database_url else "") as store:
        register(store, ["vic"])
        record(Service(settings, store, START), [finding()], START)


def channels(world: World) -> dict[str, object]:
    hook = {"url": world.environment["FORTNIGHT_ALERTS__CHANNELS__HOOK__URL"]}
    return {"channels": {"hook": hook, "mail": {"url_env": "OPS_MAIL"}}}


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


def test_no_secret_is_told_anywhere(
    world: World, server: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("entsoe")
    processes = ProcessList()
    processes.start()
    with mlflow_served(world):
        assert "made, role reader" in world.run("access", "ann", FORTNIGHT_NEW_PASSWORD=planted("login"))
        daily = world.begin("flows", "daily", "--as-of", "2024-03-01")
        leave_messages(world)
        told = world.run("notify")
        assert "was not taken" in told or "2 to be tried again" in told
        wrong = urlsplit(world.environment["FORTNIGHT_MLFLOW_TRACKING_URI"])
        wrong_mlflow = f"http://{encoded(planted('intruder'))}:{encoded(planted('guess'))}@127.0.0.1:{wrong.port}"
        doctor = world.begin("forecasting.cli", "doctor", FORTNIGHT_MLFLOW_TRACKING_URI=wrong_mlflow)
        assert "FAILS" in world.run("notify", "--test", FORTNIGHT_LOG_FORMAT="json")
        told = world.end(daily)
        assert "FAILS" in world.end(doctor)
        assert f"Simulated {CONTROL}: published.forecast_latest" in world.run("show")
        for failure in ("403", "ENTSO-E", "table.csv", "authentication failed"):
            assert failure in told, failure
    for url in (
        f"postgresql://migrator:{encoded(planted('wrong'))}@127.0.0.1:{conninfo_to_dict(server[2])['port']}/fortnight",
        f"postgresql://migrator:{planted('malformed')}@[::1/fortnight",
    ):
        assert "error: " in world.run("status", FORTNIGHT_DATABASE_URL=url)
    world.run("psql", "--", "-c", f"SELECT pg_sleep(0.3), '{CONTROL}'")
    for command in (("status",), ("alerts",), ("mlflow",), ("retrain", "--series", SERIES, "--as-of", "2024-03-02")):
        world.run(*command)  # MLflow is gone now
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    assert not ping(load_settings())
    processes.ended.set()
    processes.join()

    rows = world.rows()
    log = server[0] / "server.log"
    looked_at = {
        "output": b"\n".join(world.said),
        "rows": rows,
        "processes": processes.text(),
        "log of the server": log.read_bytes(),
        "log of this process": caplog.text.encode(),
    }
    for place, content in looked_at.items():
        assert not places(content), f"{place}: {places(content)[:3]}"
        assert place.endswith("process") or places(content, CONTROL), f"the search of {place} finds nothing"
    own = (server[0] / "secret",)  # where the test's server got its password from
    assert in_files(server[0], without=own) == {}
    assert in_files(server[0]).keys() == {"secret"}
    assert in_files(world.home) == {}
    kept = in_files(world.home, CONTROL)
    for place in ("mlflow/mlflow.db", "mlflow/artifacts", "prefect/"):
        assert any(path.startswith(place) for path in kept), f"the search of {place} finds nothing: {list(kept)}"
