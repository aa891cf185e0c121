"""MLflow and Prefect on all interfaces, as `fortnight serve` starts them there: who has no password gets nothing."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from forecasting.cli.parts import prefect_client_environment
from forecasting.errors import RegistryError
from forecasting.registry import Registry
from forecasting.settings import load_settings
from tests.security.mlflow_routes import OLD_PASSWORD, OLD_USER
from tests.security.telltale import encoded
from tests.servers import await_health, free_ports

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what this is about
USER, PASSWORD = "fortnight", "correct horse: battery/staple%"
LOGIN = (USER, PASSWORD)
HEALTH = {"mlflow": "/health", "prefect": "/api/health"}
OPEN_OF_MLFLOW = {
    "GET /health", "GET /static-files/1", "GET /ajax-api/3.0/mlflow/server-info", "GET /api/3.0/mlflow/server-info",
}  # fmt: skip
"""Whether it lives, which features it has, and the files of its pages, which are MLflow's own and the same everywhere."""
OPEN_OF_PREFECT = {"GET /api/health", "GET /api/ready"}
GUESSES = [(USER, "a guessed password"), (USER, ""), ("", PASSWORD), ("admin", "password1234"), (OLD_USER, OLD_PASSWORD)]
GUESSES.append((USER, OLD_PASSWORD))
STREAMS = ("events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled", "work_pools/1/workers/connect")
EXPERIMENT = "/api/2.0/mlflow/experiments/get?experiment_id=0"


@dataclass(frozen=True)
class Served:
    """Two servers with one password, and every route of MLflow's."""

    home: Path
    mlflow: str
    prefect: str
    mlflow_routes: list[tuple[str, str]]

    @property
    def variables(self) -> dict[str, str]:
        return variables(self.home, int(self.mlflow.rpartition(":")[2]), int(self.prefect.rpartition(":")[2]))


def variables(home: Path, mlflow_port: int, prefect_port: int) -> dict[str, str]:
    return {
        "FORTNIGHT_HOME": str(home),
        "FORTNIGHT_SERVE__HOST": EVERYWHERE,
        "FORTNIGHT_SERVE__PASSWORD": PASSWORD,
        "FORTNIGHT_SERVE__MLFLOW_PORT": str(mlflow_port),
        "FORTNIGHT_SERVE__PREFECT_PORT": str(prefect_port),
    }


@pytest.fixture(scope="module")
def served(empty_mlflow: Path) -> Iterator[Served]:
    """On a state folder of before: open to all, and with an MLflow whose password was another one."""
    home, ports = Path(tempfile.mkdtemp(prefix="fn-")), free_ports(2)
    addresses = dict(zip(HEALTH, (f"http://127.0.0.1:{port}" for port in ports), strict=True))
    for name in ("serve", "mlflow", "prefect"):
        (home / name).mkdir()
        (home / name).chmod(0o755)
    shutil.copy(empty_mlflow, home / "mlflow")
    found = subprocess.run(
        [sys.executable, "-m", "tests.security.mlflow_routes", home / "serve"], capture_output=True, text=True, check=True
    )
    environment = {**os.environ, **variables(home, *ports), "FORTNIGHT_MLFLOW_TRACKING_URI": ""}
    environment.pop("PREFECT_HOME", None)
    processes = {  # each ends when this process does, however that ends
        name: subprocess.Popen([sys.executable, "-m", "forecasting.cli", "serve", name], env=environment) for name in HEALTH
    }
    try:
        for name, process in processes.items():
            await_health(process, addresses[name] + HEALTH[name])
        yield Served(home, addresses["mlflow"], addresses["prefect"], [(one, two) for one, two in json.loads(found.stdout)])
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(60)
        shutil.rmtree(home)


def statuses(address: str, routes: list[tuple[str, str]], login: tuple[str, str] | None = None) -> dict[str, int]:
    """What each route answers; whatever is a part of a path is 1."""

    def ask(route: tuple[str, str]) -> tuple[str, int]:
        method, path = route[0], re.sub(r"<[^>]*>|\{[^}]*\}", "1", route[1])
        answer = requests.request(method, address + path, auth=login, allow_redirects=False, timeout=60)
        return f"{method} {path}", answer.status_code

    with ThreadPoolExecutor(4) as pool:
        return dict(pool.map(ask, routes))


def test_mlflow_gives_nothing_without_the_password(served: Served) -> None:
    answers = statuses(served.mlflow, served.mlflow_routes)
    assert len(answers) > 300
    for path in ("GET /", "GET /graphql", "GET /signup", "GET /get-artifact", "GET /version", "POST /v1/traces"):
        assert path in answers
    assert "PUT /api/2.0/mlflow-artifacts/artifacts/1" in answers
    assert {route for route, status in answers.items() if status != 401} == OPEN_OF_MLFLOW


def test_prefect_gives_nothing_without_the_password(served: Served) -> None:
    described = requests.get(f"{served.prefect}/api/openapi.json", auth=LOGIN, timeout=60).json()
    routes = [(method.upper(), f"/api{path}") for path, methods in described["paths"].items() for method in methods]
    routes += [("GET", "/api/openapi.json"), ("GET", "/api/docs")]
    answers = statuses(served.prefect, routes)
    assert len(answers) > 150
    assert "POST /api/flow_runs/filter" in answers
    assert {route for route, status in answers.items() if status != 401} == OPEN_OF_PREFECT


@pytest.mark.parametrize("login", GUESSES)
@pytest.mark.parametrize("name", HEALTH)
def test_no_guess_is_let_in(served: Served, name: str, login: tuple[str, str]) -> None:
    url = served.mlflow + EXPERIMENT if name == "mlflow" else f"{served.prefect}/api/admin/version"
    assert requests.get(url, auth=login, timeout=30).status_code == 401
    assert requests.get(url, headers={"Authorization": f"Bearer {PASSWORD}"}, timeout=30).status_code == 401
    assert requests.get(url, auth=LOGIN, timeout=30).status_code == 200


def test_what_is_open_tells_of_no_work(served: Served) -> None:
    assert requests.get(served.mlflow + "/health", timeout=30).text == "OK"
    assert requests.get(served.prefect + "/api/health", timeout=30).json() is True
    told = requests.get(served.mlflow + "/ajax-api/3.0/mlflow/server-info", timeout=30).text
    assert len(told) < 1000
    assert str(served.home) not in told
    page = requests.get(served.prefect + "/", timeout=30)  # it asks for the login, and gets all else from the API
    assert page.ok
    settings = requests.get(served.prefect + "/ui-settings", timeout=30).text
    for private in (PASSWORD, json.dumps(PASSWORD)[1:-1], str(served.home)):
        assert private not in page.text + settings


def test_artefacts_are_for_those_with_the_password(served: Served) -> None:
    address = f"{served.mlflow}/api/2.0/mlflow-artifacts/artifacts/0/weights"
    assert requests.put(address, data=b"weights", timeout=30).status_code == 401
    assert requests.put(address, data=b"weights", auth=LOGIN, timeout=30).ok
    assert requests.get(address, auth=LOGIN, timeout=30).content == b"weights"
    for look in (address, address.replace("/api/", "/ajax-api/"), address.removesuffix("/0/weights") + "?path=0"):
        assert requests.get(look, timeout=30).status_code == 401
    assert requests.get(served.mlflow + "/", auth=LOGIN, timeout=30).status_code == 200


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "127.0.0.1:1"])
def test_mlflow_refuses_names_that_are_not_its_own(served: Served, host: str) -> None:
    """A page elsewhere whose name is pointed here would ask with the password that the browser keeps."""
    answer = requests.get(served.mlflow + EXPERIMENT, auth=LOGIN, headers={"Host": host}, timeout=30)
    assert answer.status_code == 403
    assert "experiment_id" not in answer.text


def test_mlflow_changes_nothing_for_pages_elsewhere(served: Served) -> None:
    answer = requests.post(
        served.mlflow + "/api/2.0/mlflow/experiments/create",
        json={"name": "forged"},
        auth=LOGIN,
        headers={"Origin": "https://attacker.example"},
        timeout=30,
    )
    assert answer.status_code == 403


def test_our_own_client_has_no_password_in_its_address(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # what the registry sets goes away with the test
    host = served.mlflow.removeprefix("http://")
    registry = Registry(served.home, f"http://{USER}:{encoded(PASSWORD)}@{host}")
    assert registry.tracking_uri == served.mlflow
    assert registry.describe_server() == (f"{served.mlflow}, 0 registered models", [])
    with pytest.raises(RegistryError, match="401") as caught:
        Registry(served.home, f"http://{USER}:{encoded('a guessed password')}@{host}")
    assert "guessed" not in f"{caught.value}{caught.value.__cause__}"


def test_the_flows_find_their_way_in(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    for name, value in served.variables.items():
        monkeypatch.setenv(name, value)
    given = prefect_client_environment(load_settings())
    script = (
        "from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client: print(client.request('GET', '/admin/version').json())"
    )
    environment = {**os.environ, "PREFECT_HOME": str(served.home / "client"), **given}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, version("prefect")), done.stderr


@pytest.mark.parametrize("path", STREAMS)
def test_what_prefect_streams_is_for_those_with_the_password(served: Served, path: str) -> None:
    address = f"{served.prefect.replace('http', 'ws', 1)}/api/{path}"

    def answer(token: str | None) -> str:
        with connect(address, subprotocols=["prefect"], open_timeout=30) as stream:  # type: ignore[list-item]
            stream.send(json.dumps({"type": "auth", "token": token}))
            return str(json.loads(stream.recv(30))["type"])

    for token in (None, "", "fortnight:a guessed password"):
        with pytest.raises((ConnectionClosed, InvalidHandshake)):
            answer(token)
    assert answer(f"{USER}:{PASSWORD}") == "auth_success"


def test_no_other_account_can_look_into_what_they_keep(served: Served) -> None:
    """Folders of before are closed as well."""
    for name in ("serve", "mlflow", "prefect"):
        assert stat.S_IMODE((served.home / name).stat().st_mode) == 0o700, name
    for name in ("mlflow/artifacts/0/weights", "prefect/prefect.db"):
        assert stat.S_IMODE((served.home / name).stat().st_mode) == 0o600, name
