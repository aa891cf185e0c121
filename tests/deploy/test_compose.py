"""What `deploy/compose.yaml` promises of each service, and that what it starts exists and finds its settings."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from forecasting.cli import app
from forecasting.cli.parts import PARTS
from forecasting.settings import Settings, load_settings
from tests.conftest import CHECKOUT, need
from tests.deploy.conftest import DEPLOY, script

FILE = DEPLOY / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name in SERVICES if name != "postgres"]
DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def filled(text: object) -> str:
    """With the defaults of compose's variables."""
    return DEFAULT.sub(r"\1", str(text))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets as `secrets.sh` makes them."""
    folder = tmp_path_factory.mktemp("made") / "secrets"
    assert script("secrets.sh", folder).returncode == 0
    return folder


def secrets_of(service: Mapping[str, Any]) -> dict[str, str]:
    """The names of a service's secret files, and those of the secrets that they hold."""
    given = [secret if isinstance(secret, dict) else {"source": secret} for secret in service["secrets"]]
    return {secret.get("target", secret["source"]): secret["source"] for secret in given}


def test_compose_takes_the_file() -> None:
    need(shutil.which("docker-compose"), "docker-compose")
    done = subprocess.run(["docker-compose", "--file", FILE, "config"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)
    assert resolved["services"].keys() == SERVICES.keys()
    assert all("127.0.0.1:" in str(port) for service in resolved["services"].values() for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["restart"] in ("unless-stopped", "on-failure")
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert "/tmp" in {place.split(":")[0] for place in service["tmpfs"]}  # noqa: S108
    assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", filled(service["image"])), "an exact version"
    assert all(filled(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_waits_for_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"].get("test") or name == "migrate"
    for other, condition in service.get("depends_on", {}).items():
        ends = other == "migrate"
        assert condition["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_only_what_must_be_reached_has_a_port_and_the_database_has_no_way_out() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"mlflow", "prefect", "page"}
    assert SERVICES["postgres"]["networks"] == SERVICES["migrate"]["networks"] == ["database"]
    assert COMPOSE["networks"]["database"]["internal"] is True


def test_secrets_are_files_that_the_script_makes_and_git_ignores(made: Path) -> None:
    declared = {name: filled(secret["file"]) for name, secret in COMPOSE["secrets"].items()}
    assert declared == {path.name: f"./secrets/{path.name}" for path in made.iterdir()}
    assert declared.keys() == {source for service in SERVICES.values() for source in secrets_of(service).values()}
    if (CHECKOUT / ".git").exists():
        done = subprocess.run(["git", "check-ignore", "--quiet", "deploy/secrets/owner_password"], cwd=CHECKOUT)
        assert done.returncode == 0
    for service in SERVICES.values():
        for variable, value in service["environment"].items():
            assert variable.endswith("_FILE") or not re.search("PASSWORD|SECRET$|TOKEN|KEY", variable)
            assert not re.search(r"://[^/]*@", str(value)), "no address with a password"


@pytest.mark.parametrize("name", OURS)
def test_a_service_finds_its_settings(name: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    for target, source in secrets_of(service).items():
        shutil.copy(made / source, tmp_path / target)
    environment = {variable: filled(value) for variable, value in service["environment"].items()}
    assert environment["FORTNIGHT_CONFIG"] == "/etc/fortnight/fortnight.toml"
    assert "./config:/etc/fortnight:ro" in service["volumes"]
    environment |= {"FORTNIGHT_CONFIG": str(DEPLOY / "config" / "fortnight.toml"), "FORTNIGHT_SECRETS": str(tmp_path)}
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"], "FORTNIGHT_HOME": str(tmp_path), **environment})
    settings = load_settings()
    assert settings.serve.password is not None
    assert logins(settings) == {
        "migrate": {"fortnight"},
        "mlflow": {"mlflow"},
        "prefect": {"prefect"},
    }.get(name, {"service"})


def logins(settings: Settings) -> set[object]:
    """With whom a service comes to Postgres."""
    serve = settings.serve
    urls = [url.get_secret_value() for url in (settings.database_url, serve.mlflow_database_url, serve.prefect_database_url) if url]
    return {conninfo_to_dict(re.sub(r"\+\w+", "", url))["user"] for url in urls}


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_starts_exists(name: str) -> None:
    service = SERVICES[name]
    if name != "migrate":
        assert service["command"] == ["serve", name]
        assert name in PARTS
        return
    assert service["entrypoint"] == ["bash", "-euc"]
    (line,) = service["command"]
    words = shlex.split(line.replace("$$", "$"))
    commands = [words[i + 1].rstrip(";") for i, word in enumerate(words) if word == "fortnight"]
    assert commands == ["migrate", "access"]
    for command in commands:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_every_part_is_a_service_but_the_embedded_postgres() -> None:
    assert PARTS.keys() - {"postgres"} == set(OURS) - {"migrate"}


def test_the_image_is_pinned_runs_without_rights_and_holds_no_more_than_it_needs() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON=python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]
    *_, last = text.split("\nFROM ")
    assert "apt-get" not in text
    assert "\nUSER 10001:10001\n" in last
    assert "\nHEALTHCHECK " in last
    assert "bash deploy/install.sh" in text
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if not line.startswith("#")) == "*"
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert all((CHECKOUT / path).exists() for path in kept)
    assert not [path for path in kept if re.search(r"secret|config|\.git|\.fortnight|tests", path)]
