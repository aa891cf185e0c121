"""The parts of `fortnight serve`, each a program that runs in the foreground and ends on SIGTERM."""

import ctypes
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Event

from forecasting.cli.running import become, complain
from forecasting.errors import FortnightError
from forecasting.folders import private_folder
from forecasting.jobs import STARTED_BY
from forecasting.settings import ServeSettings, Settings

PR_SET_PDEATHSIG = 1
CARETAKER_S, STEP_S = 60.0, 2.0
POSTGRES_S = 5.0
Command = tuple[list[str], dict[str, str]]


def die_with_parent() -> None:
    """Let Linux send SIGTERM when the supervisor is killed; it holds through exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def mlflow_command(settings: Settings, port: int) -> Command:
    """MLflow's server over the service's store: one process, for its memory; with passwords where one is set."""
    folder, serve = private_folder(settings.home, "mlflow"), settings.serve
    serve.require_password()
    store = serve.mlflow_database_url
    arguments = [
        sys.executable, "-m", "mlflow", "server", "--artifacts-destination", str(folder / "artifacts"),
        "--host", serve.host, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes for scorers of language models
        # By the environment: it may hold a password, which a command line would show to everybody.
        "MLFLOW_BACKEND_STORE_URI": store.get_secret_value() if store else f"sqlite:///{folder / 'mlflow.db'}",
    }
    if not serve.is_local:
        hosts = [serve.host, *serve.mlflow_hosts, "localhost", "127.0.0.1"]
        arguments += ["--allowed-hosts", ",".join(f"{host}{suffix}" for host in hosts for suffix in ("", f":{port}"))]
    if serve.password is not None:
        from forecasting.registry.users import users_config

        users, password = private_folder(settings.home, "serve"), serve.password.get_secret_value()
        arguments += ["--app-name", "basic-auth"]
        environment |= {
            "MLFLOW_AUTH_CONFIG_PATH": str(users_config(users, serve.user, password)),
            "MLFLOW_AUTH_ADMIN_USERNAME": serve.user,
            "MLFLOW_AUTH_ADMIN_PASSWORD": password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
        }
    return arguments, environment


def prefect_command(settings: Settings, port: int) -> Command:
    """Prefect's server, with a password where one is set."""
    serve = settings.serve
    serve.require_password()
    environment = dict(settings.prefect_environment)
    # Pages are written out at the start, by default beside the installed package, which a service may not write to.
    environment["PREFECT_SERVER_UI_STATIC_DIRECTORY"] = str(private_folder(settings.home, "prefect") / "ui")
    environment["PREFECT_SERVER_UI_API_URL"] = "/api"  # of whatever host and port were asked
    if serve.prefect_database_url is not None:
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = serve.prefect_database_url.get_secret_value()
    if serve.password is not None:
        environment["PREFECT_SERVER_API_AUTH_STRING"] = credentials(serve)
    return [sys.executable, "-m", "prefect", "server", "start", "--host", serve.host, "--port", str(port)], environment


def prefect_client_environment(settings: Settings) -> Mapping[str, str]:
    """How flows find the Prefect server; what is set already goes first."""
    serve = settings.serve
    found = {"PREFECT_API_URL": serve.prefect_url or f"http://{_own_address(serve)}:{serve.prefect_port}/api"}
    if serve.password is not None:
        found["PREFECT_API_AUTH_STRING"] = credentials(serve)
    return {name: os.environ.get(name, value) for name, value in found.items()}


def credentials(serve: ServeSettings) -> str:
    assert serve.password is not None
    return f"{serve.user}:{serve.password.get_secret_value()}"


def _own_address(serve: ServeSettings) -> str:
    return "127.0.0.1" if serve.host == "0.0.0.0" else serve.host  # noqa: S104 - compared only


def postgres(settings: Settings) -> None:
    """The embedded Postgres, as long as this process lives."""
    from forecasting.store import embedded

    if settings.database_url is not None:
        complain("FORTNIGHT_DATABASE_URL is set: its server is not served from here")
        raise SystemExit(2)
    stopped = _stopped_by_signal()
    try:
        while not stopped.is_set():
            embedded.ensure_running(settings.home)
            stopped.wait(POSTGRES_S)
    finally:
        embedded.stop(settings.home)


def mlflow(settings: Settings) -> None:
    """MLflow's server."""
    if settings.serve.mlflow_database_url is None:
        from forecasting.registry import Registry

        Registry(settings.home, None)  # makes the tables whole or not at all, which the server does not
    become(*mlflow_command(settings, settings.serve.mlflow_port))


def prefect(settings: Settings) -> None:
    """Prefect's server."""
    become(*prefect_command(settings, settings.serve.prefect_port))


def worker(settings: Settings) -> None:
    """What runs the flows."""
    private_folder(settings.home, "prefect")
    become([sys.executable, "-m", "flows.worker"], {**settings.prefect_environment, **prefect_client_environment(settings)})


def caretaker(settings: Settings) -> None:
    """What looks after all from outside of Prefect."""
    from forecasting.jobs.caretaker import Caretaker
    from forecasting.service import open_service

    stopped, running = _stopped_by_signal(), list[subprocess.Popen[bytes]]()

    def start(series_ids: Sequence[str]) -> None:
        if running and running[0].poll() is None:
            return
        options = [word for series_id in series_ids for word in ("--series", series_id)]
        environment = {**os.environ, STARTED_BY: "caretaker"}
        running[:] = [subprocess.Popen([sys.executable, "-m", "forecasting.cli", "daily", *options], env=environment)]  # noqa: S603

    keeper = Caretaker(start)
    while not stopped.is_set():
        try:
            with open_service(settings, datetime.now(UTC)) as service:
                keeper.look_after(service)
        except FortnightError as error:
            complain(error)
        _pause(stopped, running)


def _pause(stopped: Event, running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Until the next look: a minute, or less where a run that was begun here ends before."""
    busy = [process for process in running if process.poll() is None]
    for _ in range(int(CARETAKER_S / STEP_S)):
        if stopped.wait(STEP_S) or any(process.poll() is not None for process in busy):
            return


def page(settings: Settings) -> None:
    """The web page, metrics and health."""
    settings.serve.require_password()
    from forecasting.page import serve_page
    from forecasting.service import database_url

    serve_page(settings, database_url(settings), lambda: datetime.now(UTC))


PARTS: Mapping[str, Callable[[Settings], None]] = {
    "postgres": postgres,
    "prefect": prefect,
    "mlflow": mlflow,
    "worker": worker,
    "caretaker": caretaker,
    "page": page,
}
"""In the order in which they are started."""


def _stopped_by_signal() -> Event:
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped
