"""Backup: all that is needed to go on elsewhere, in one file, while the service goes on."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forecasting.archive import Manifest, draft_beside, prune, write
from forecasting.errors import BackupError
from forecasting.jobs import Progress, silent
from forecasting.service import code_version, database_url
from forecasting.settings import Settings
from forecasting.settings.file import config_file
from forecasting.store import dumps
from forecasting.store.database import describe

logger = logging.getLogger(__name__)

MEBIBYTE = 1 << 20
DUMP, CONFIG, MLFLOW, PICTURES = "postgres.dump", "fortnight.toml", "mlflow", "pictures"


@dataclass(frozen=True)
class Backup:
    """A finished backup; older ones that made room for it, and what is named like one but is none."""

    file: Path
    size_bytes: int
    manifest: Manifest
    removed: tuple[Path, ...]
    odd: tuple[Path, ...]

    def lines(self) -> list[str]:
        """For people."""
        held, rows = self.manifest, self.manifest.rows
        told = [f"{self.file}: {self.size_bytes / MEBIBYTE:,.1f} MiB, {len(held.files):,} files, made of schema {held.revision}"]
        named = {"reading": "readings", "forecast_issue": "forecasts", "model_version": "model versions", "alert": "alerts"}
        told.append("in it: " + ", ".join(f"{rows.get(table, 0):,} {name}" for table, name in named.items()))
        if not held.has_mlflow:
            told.append(
                "MLflow is on a server of its own: back that up by its own means. Copies of the last three champions of each "
                "series are in Postgres, and so in this backup"
            )
        if held.logins:
            told.append(f"without passwords: after a restore make the logins {', '.join(held.logins)} anew (fortnight access)")
        told += [f"removed {file}" for file in self.removed]
        return told + [f"left alone, no whole backup: {file}" for file in self.odd]


def backup(settings: Settings, target: Path, now: datetime, keep: int | None = None, progress: Progress = silent) -> Backup:
    """Write a backup into a folder, or as a file whose name ends with `.tar`; no schema is changed for it.

    Args:
        keep: how many of this service's backups stay in the folder, this one included.

    Raises:
        BackupError: it cannot be written there.
        StoreError, RegistryError: Postgres or MLflow cannot be read.
    """
    target, is_file = target.expanduser().absolute(), target.suffix == ".tar"
    file = target if is_file else target / f"fortnight-{now:%Y%m%dT%H%M%SZ}.tar"
    if keep is not None and (is_file or keep < 1):
        raise BackupError(f"--keep {keep} with --to {target}", "give a folder, and keep one backup at least")
    if file.exists():
        raise BackupError(f"{file} is there already", "move it away, or give another name")
    url = database_url(settings)
    with draft_beside(file) as draft:
        told = dumps.dump(url, draft / DUMP, lambda done: progress("Postgres, MiB", done // MEBIBYTE, 0))
        manifest = Manifest(
            made_at=now,
            code=code_version(settings),
            home=str(settings.home),
            database=describe(url),
            server=told.server,
            revision=told.revision,
            rows=told.rows,
            logins=told.logins,
            has_mlflow=settings.mlflow_tracking_uri is None,
        )
        parts = {DUMP: draft / DUMP, **_files(settings, draft)}
        whole = write(draft, file, manifest, parts, lambda done, total: progress("files, MiB", done // MEBIBYTE, total // MEBIBYTE))
    removed, odd = prune(file.parent, whole, keep) if keep else ([], [])
    logger.info("backup: %s, schema %s", file, whole.revision)
    return Backup(file, file.stat().st_size, whole, tuple(removed), tuple(odd))


def _files(settings: Settings, draft: Path) -> dict[str, Path]:
    """What lies beside the database, by its name in the backup.

    Looked at after the dump, not before: a retrain registers its versions in MLflow first and in Postgres last, so every version
    that the dump knows has its run and its files by now. What MLflow knows beyond the dump goes when that retrain is done again.
    Likewise MLflow's database before its artefacts: files of a run come before the run is finished.
    """
    found = {}
    if settings.mlflow_tracking_uri is None:
        from forecasting.registry import files

        if files.copy_database(settings.home, draft / files.DATABASE):
            found[f"{MLFLOW}/{files.DATABASE}"] = draft / files.DATABASE
        found |= {f"{MLFLOW}/{name}": path for name, path in files.artefact_files(settings.home).items()}
    pictures = settings.home / PICTURES
    found |= {f"{PICTURES}/{path.name}": path for path in sorted(pictures.glob("*.png")) if path.is_file()}
    if config_file().is_file():
        found[CONFIG] = config_file()
    return found
