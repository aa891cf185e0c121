"""A copy of everything, and back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from forecasting.cli.running import out, progress_shown
from forecasting.cli.servers import require_unserved
from forecasting.settings import load_settings


def backup(
    to: Annotated[
        Path, typer.Option("--to", help="A folder, which gets a file named by the time, or a file NAME.tar.", show_default=False)
    ],
    keep: Annotated[
        int | None,
        typer.Option("--keep", help="Remove older backups of this service from the folder, all but so many.", show_default=False),
    ] = None,
) -> None:
    """Write database, MLflow store, pictures and settings into one file, while everything goes on. It holds no secrets of ours."""
    from forecasting.jobs.backup import backup as job

    with progress_shown() as report:
        done = job(load_settings(), to, datetime.now(UTC), keep, report)
    for line in done.lines():
        out.print(line, highlight=False, soft_wrap=True)


def restore(file: Annotated[Path, typer.Argument(help="A backup.", show_default=False)]) -> None:
    """Put a backup in place: into an empty database and state folder, while nothing else runs. Killed, the same command goes on.

    Only your own: a forged one may run what it likes in the database.
    """
    from forecasting.jobs.restore import restore as job

    settings = load_settings()
    require_unserved(settings.home)
    with progress_shown() as report:
        done = job(settings, file, report)
    for line in done.lines():
        out.print(line, highlight=False, soft_wrap=True)
