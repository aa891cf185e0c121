"""The service for machines without Docker: installed into a folder, its units checked by systemd, and what they start run."""

import os
import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, need
from tests.deploy.conftest import script

EXPOSURE = 2.0
"""At most, of 10, as systemd-analyze counts."""
UNITS = ("fortnight.service", "fortnight-backup.service", "fortnight-backup.timer")
SERVICES = tuple(unit for unit in UNITS if unit.endswith(".service"))


def install(root: Path, release: str, *options: str) -> subprocess.CompletedProcess[str]:
    """This checkout as a release; its packages are those that are here, which are what install.sh would bring."""
    place = root / "opt" / "fortnight-releases" / release
    if not place.exists():
        place.mkdir(parents=True)
        (place / ".venv").symlink_to(CHECKOUT / ".venv")
    return script("install_service.sh", "--root", root, "--release", release, *options)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need((CHECKOUT / ".venv" / "installed").is_file(), "what deploy/install.sh installs in .venv")
    folder = tmp_path_factory.mktemp("root")
    done = install(folder, "1")
    assert done.returncode == 0, done.stderr
    return folder


def read(root: Path, unit: str) -> RawConfigParser:
    """A unit. Keys that may come twice do not in ours, which a strict reader holds."""
    parser = RawConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(root / "etc" / "systemd" / "system" / unit)
    return parser


def within(root: Path, text: str) -> str:
    """With the paths below the folder that was installed into."""
    for place in ("/opt/", "/etc/fortnight", "/var/lib/fortnight"):
        text = text.replace(place, f"{root}{place}")
    return text


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit(root: Path, tmp_path: Path, unit: str) -> None:
    need(shutil.which("systemd-analyze"), "systemd-analyze")
    for name in UNITS:
        (tmp_path / name).write_text(within(root, (root / "etc/systemd/system" / name).read_text()))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / unit], capture_output=True, text=True)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "fortnight" in line]
    assert not told
    assert done.returncode == 0


@pytest.mark.parametrize("unit", SERVICES)
def test_the_service_is_confined(root: Path, unit: str) -> None:
    need(shutil.which("systemd-analyze"), "systemd-analyze")
    path = root / "etc" / "systemd" / "system" / unit
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    assert read(root, unit)["Service"]["User"] == "fortnight"


@pytest.mark.parametrize("unit", SERVICES)
def test_what_a_unit_starts_exists(root: Path, unit: str) -> None:
    service = read(root, unit)["Service"]
    program, command, *_ = shlex.split(within(root, service["ExecStart"]))
    done = subprocess.run([program, command, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for option in (word for word in shlex.split(service["ExecStart"]) if word.startswith("--")):
        assert option in done.stdout


def test_the_service_finds_its_settings_and_secrets(root: Path, tmp_path: Path) -> None:
    """systemd hands over each file of a folder, named by its credential and the file."""
    service = read(root, "fortnight.service")["Service"]
    identity, folder = service["LoadCredential"].split(":")
    for path in Path(within(root, folder)).iterdir():
        shutil.copy(path, tmp_path / f"{identity}_{path.name}")
    environment = dict(
        pair.split("=", 1) for pair in shlex.split(within(root, service["Environment"]).replace("%d", str(tmp_path)))
    )
    environment |= dict(line.split("=", 1) for line in (root / "opt/fortnight/release.env").read_text().split())
    told = "from forecasting.settings import load_settings as l; s = l(); print(s.home, len(s.serve.password.get_secret_value()))"
    python = root / "opt" / "fortnight" / ".venv" / "bin" / "python"
    done = subprocess.run([python, "-c", told], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [f"{root}/var/lib/fortnight", "48"], done.stderr


def test_an_operator_calls_it_with_the_settings_and_user_of_the_service(root: Path) -> None:
    need(shutil.which("setpriv") and os.geteuid() == 0, "root, and setpriv")
    secret = root / "etc" / "fortnight" / "secrets" / "mlflow_tracking_uri"
    secret.write_text("http://fortnight:planted@mlflow.example.org:5000")
    command = [root / "usr" / "local" / "bin" / "fortnight", "mlflow"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    secret.unlink()
    assert (done.returncode, done.stdout) == (0, "the tracking server is at mlflow.example.org:5000\n"), done.stderr


def test_an_upgrade_keeps_settings_and_secrets_and_leads_back(root: Path) -> None:
    current, config = root / "opt" / "fortnight", root / "etc" / "fortnight" / "fortnight.toml"
    config.write_text("# mine\n")
    secret = root / "etc" / "fortnight" / "secrets" / "serve__password"
    before = secret.read_text()
    for release, expected in (("2", "2"), ("2", "2"), ("--back", "1"), ("--back", "2")):
        done = script("install_service.sh", "--root", root, release) if release == "--back" else install(root, release)
        assert done.returncode == 0, done.stderr
        assert current.resolve().name == expected
    assert (config.read_text(), secret.read_text()) == ("# mine\n", before)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert (current / "flows" / "daily.py").read_bytes() == (CHECKOUT / "flows" / "daily.py").read_bytes()


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    done = script("install_service.sh", "--root", tmp_path / "none", "--release", "1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "deploy/install.sh entsoe" in done.stdout
    assert not (tmp_path / "none").exists()


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    done = script("install_service.sh", "--bakc")
    assert (done.returncode, done.stderr[:6]) == (2, "error:")
    assert script("install_service.sh", "--root", tmp_path, "--back").returncode == 2
