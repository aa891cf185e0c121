"""Ways into the database, MLflow and Prefect."""

import socket
from pathlib import Path
from typing import Annotated

import psutil
import typer

from forecasting.cli.parts import mlflow_command, prefect_command
from forecasting.cli.running import become, log_to_terminal, out
from forecasting.errors import AlreadyRunning, SettingsError
from forecasting.settings import load_settings

SUPERVISOR_PID = Path("serve") / "supervisord.pid"
PortOption = Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)]


def migrate(dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be run.")] = False) -> None:
    """Bring the database to the present schema; every other command does so too."""
    from forecasting.service import database_url
    from forecasting.store import schema
    from forecasting.store.database import connect, explained

    url = database_url(load_settings())
    log_to_terminal()
    with explained(url), connect(url) as connection:
        before = schema.current(connection) or "none"
        steps = schema.pending(connection) if dry_run else schema.migrate(connection, url)
        after = schema.current(connection)
    for step in steps:
        out.print(f"{'would run' if dry_run else 'ran'} {step}", highlight=False, soft_wrap=True)
    if not steps:
        out.print(f"schema {after}, up to date", highlight=False)
    else:
        target = f"would become {steps[-1].revision}" if dry_run else f"became {after}"
        out.print(f"schema {before} {target}", highlight=False)


def psql(context: typer.Context) -> None:
    """Open psql on the service's database; what follows -- goes to psql."""
    from forecasting.service import database_url
    from forecasting.store.database import psql as psql_command

    arguments, environment = psql_command(database_url(load_settings()), context.args)
    become(arguments, environment)


def mlflow(port: PortOption = 5000) -> None:
    """Serve the MLflow UI, or say where it is if a tracking server is set; and where champions are compared."""
    settings = load_settings()
    if settings.mlflow_tracking_uri is not None:
        out.print(
            f"the tracking server is at {settings.mlflow_tracking_uri.get_secret_value().rsplit('@', 1)[-1]}", highlight=False
        )
        return
    from forecasting.registry import Registry

    require_free(settings.serve.host, port, "another with --port")
    address = f"http://127.0.0.1:{port}"
    pages = Registry(settings.home, None).champions_pages(address)
    out.print(f"MLflow on {address}, stop it with Ctrl-C", highlight=False)
    for experiment, page in pages.items():
        out.print(f"champions of {experiment}: {page}", highlight=False, soft_wrap=True)
    become(*mlflow_command(settings, port))


def prefect(port: PortOption = 4200) -> None:
    """Serve the Prefect UI over the runs of `python -m flows`."""
    settings = load_settings()
    require_free(settings.serve.host, port, "another with --port")
    become(*prefect_command(settings, port))


def stop() -> None:
    """Stop the Postgres that the embedded default started; data stay."""
    from forecasting.store import embedded

    home = load_settings().home
    require_unserved(home)
    stopped = embedded.stop(home)
    out.print("Postgres stopped" if stopped else "no embedded Postgres is running", highlight=False)


def require_unserved(home: Path) -> None:
    """Raises: AlreadyRunning: a `fortnight serve` works on this state folder."""
    if (pid := served_by(home)) is not None:
        raise AlreadyRunning(f"{home} is served by process {pid}", f"stop that first: kill -TERM {pid}")


def served_by(home: Path) -> int | None:
    """The process of the `fortnight serve` that works on a state folder."""
    try:
        process = psutil.Process(int((home / SUPERVISOR_PID).read_text()))
        alive = "supervisord" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    return process.pid if alive else None


def require_free(host: str, port: int, remedy: str) -> None:
    """Raises: SettingsError: something else listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(f"port {port} cannot be used ({error.strerror})", f"choose {remedy}") from None
