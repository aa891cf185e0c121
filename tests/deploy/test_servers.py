"""MLflow's and Prefect's server on the databases and with the secrets of the deployment, as compose starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import psycopg
import pytest
import requests

from tests.deploy.conftest import Deployed
from tests.servers import await_health, free_ports

HEALTH = {"mlflow": "/health", "prefect": "/api/health"}
GUARDED = {"mlflow": "/api/2.0/mlflow/experiments/get?experiment_id=0", "prefect": "/api/admin/version"}


@pytest.fixture(scope="module")
def addresses(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Both, started at once, each with its own secrets in a folder."""
    processes, found = [], {}
    for name in HEALTH:
        secrets = tmp_path_factory.mktemp(name)
        for wanted in (f"fortnight_serve__{name}_database_url", "fortnight_serve__password"):
            (secrets / wanted).write_text(deployed.secret(wanted))
        (port,) = free_ports(1)
        environment = {
            "FORTNIGHT_HOME": str(tmp_path_factory.mktemp("home")),
            "FORTNIGHT_SECRETS": str(secrets),
            f"FORTNIGHT_SERVE__{name.upper()}_PORT": str(port),
        }
        command = [sys.executable, "-m", "forecasting.cli", "serve", name]
        processes.append(subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True))
        found[name] = f"http://127.0.0.1:{port}"
    try:
        for name, process in zip(HEALTH, processes, strict=True):
            await_health(process, found[name] + HEALTH[name])
        yield found
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(60)


@pytest.mark.parametrize("name", HEALTH)
def test_only_who_knows_the_password_is_let_in(addresses: dict[str, str], deployed: Deployed, name: str) -> None:
    url = addresses[name] + GUARDED[name]
    assert requests.get(url, timeout=30).status_code == 401
    assert requests.get(url, auth=("fortnight", "a guessed password"), timeout=30).status_code == 401
    assert requests.get(url, auth=("fortnight", deployed.secret("fortnight_serve__password")), timeout=30).ok


@pytest.mark.parametrize(("name", "table"), [("mlflow", "registered_models"), ("prefect", "flow_run")])
def test_it_keeps_its_tables_in_its_own_database(addresses: dict[str, str], deployed: Deployed, name: str, table: str) -> None:
    with psycopg.connect(deployed.login(name, name)) as connection:
        assert connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone() == (True,)


def test_no_password_stands_in_a_process_list(addresses: dict[str, str], deployed: Deployed) -> None:
    passwords = [path.read_text() for path in deployed.secrets.glob("*password")]
    shown = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert any("mlflow server" in command for command in shown)
    assert not [command for command in shown for password in passwords if password in command]
