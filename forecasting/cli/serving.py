"""`fortnight serve`: everything on one machine, as one process tree under supervisord."""

import os
import stat
import subprocess
import sys
import time
from configparser import ConfigParser
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from forecasting.cli.parts import PARTS, die_with_parent
from forecasting.cli.running import become, err, log_to_terminal
from forecasting.cli.servers import SUPERVISOR_PID, require_free, require_unserved
from forecasting.errors import SettingsError
from forecasting.folders import private_folder
from forecasting.settings import Settings, load_settings
from forecasting.settings.file import config_file


class Part(StrEnum):
    POSTGRES = "postgres"
    PREFECT = "prefect"
    MLFLOW = "mlflow"
    WORKER = "worker"
    CARETAKER = "caretaker"
    PAGE = "page"


PORTS_LIMIT_S = 15
"""The parts of a killed supervisor take some seconds to go."""
STOP_LIMIT_S = 30


def serve(
    part: Annotated[Part | None, typer.Argument(help="Only this part, in the foreground: for containers and units.")] = None,
) -> None:
    """Run everything: Prefect with the daily schedule, MLflow, the page, and what watches over them. Ctrl-C stops it all."""
    os.umask(0o077)  # logs, databases and MLflow's users are nobody else's
    settings = load_settings()
    if part is not None:
        die_with_parent()
        log_to_terminal()
        PARTS[part.value](settings)
        return
    settings.serve.require_password()
    _require_alone(settings)
    config = _write_config(settings)
    serve = settings.serve
    for name, port in (("page", serve.page_port), ("MLflow", serve.mlflow_port), ("Prefect", serve.prefect_port)):
        err.print(f"{name:8}http://{serve.host}:{port}", highlight=False)
    if not serve.is_local and not serve.mlflow_hosts:
        err.print("MLflow answers to this address only: name its hosts in [serve] mlflow_hosts", highlight=False)
    err.print(_scheduled(settings), highlight=False, markup=False)
    _supervise(config, settings)


def _scheduled(settings: Settings) -> str:
    from forecasting.service import choose_series

    times, ids = ", ".join(f"{at:%H:%M}" for at in settings.serve.at), [given.id for given in choose_series(settings)]
    told = f"a daily run of {', '.join(ids)} at {times} of their local time"
    return told if settings.describes_series else f"{told}; describe your own series in {config_file()}"


def _require_alone(settings: Settings) -> None:
    """
    Raises:
        AlreadyRunning: another one serves this state folder.
        SettingsError: a port is taken.
    """
    require_unserved(settings.home)
    serve, was_killed = settings.serve, (settings.home / SUPERVISOR_PID).exists()
    deadline = time.monotonic() + (PORTS_LIMIT_S if was_killed else 0)
    (settings.home / SUPERVISOR_PID).unlink(missing_ok=True)
    for key in ("page_port", "mlflow_port", "prefect_port"):
        while True:
            try:
                require_free(serve.host, getattr(serve, key), f"another in [serve] {key}")
                break
            except SettingsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def _write_config(settings: Settings) -> Path:
    """What supervisord runs: each part as `fortnight serve PART`, begun again whenever it ends, stopped with all it has started."""
    folder = private_folder(settings.home, "serve")
    config = ConfigParser(interpolation=None)
    config["supervisord"] = {
        "nodaemon": "true",
        "logfile": str(folder / "supervisord.log"),
        "logfile_maxbytes": "5MB",
        "logfile_backups": "1",
        "pidfile": str(settings.home / SUPERVISOR_PID),
        "childlogdir": str(folder),
        "umask": "077",
        "silent": "true",
    }
    names = [name for name in PARTS if name != "postgres" or settings.database_url is None]
    for name in names:
        config[f"program:{name}"] = {
            "command": f"{sys.executable.replace('%', '%%')} -m forecasting.cli serve {name}",
            "priority": "1" if name == "postgres" else "2",  # the last to be stopped
            "autorestart": "true",
            "startsecs": "2",
            "startretries": "1000000",
            "stopasgroup": "true",
            "killasgroup": "true",
            "stopwaitsecs": str(STOP_LIMIT_S),
            "redirect_stderr": "true",
            "stdout_logfile": "/dev/fd/1",
            "stdout_logfile_maxbytes": "0",
        }
    path = folder / "supervisord.conf"
    with path.open("w") as file:
        config.write(file)
    return path


def _supervise(config: Path, settings: Settings) -> NoReturn:
    """Become supervisord. It opens standard output anew for each part, which the socket of systemd's journal does not allow."""
    if stat.S_ISSOCK(os.fstat(1).st_mode):
        relay = subprocess.Popen(["cat"], stdin=subprocess.PIPE)  # noqa: S607
        assert relay.stdin is not None
        os.dup2(relay.stdin.fileno(), 1)
        os.set_inheritable(1, True)
    environment = {} if err.is_terminal else {"FORTNIGHT_LOG_FORMAT": os.environ.get("FORTNIGHT_LOG_FORMAT", "json")}
    become(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
        {**environment, "FORTNIGHT_HOME": str(settings.home), "FORTNIGHT_SERVED": "1"},
    )
