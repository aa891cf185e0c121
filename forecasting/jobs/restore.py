"""Restore: a backup into an empty database and state folder. Killed at any moment, the same call goes on."""

import contextlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from forecasting.archive import Manifest, read_manifest, unpack
from forecasting.errors import AlreadyRunning, BackupError
from forecasting.folders import private_folder, private_home
from forecasting.jobs import Progress, silent
from forecasting.jobs.backup import CONFIG, DUMP, MEBIBYTE, MLFLOW, PICTURES
from forecasting.service import database_url
from forecasting.settings import Settings
from forecasting.settings.file import config_file
from forecasting.store import Store, dumps, schema
from forecasting.store.database import connect, describe, explained

logger = logging.getLogger(__name__)

DRAFT, UNDER_WAY, LOCK = "restore.new", "restore.json", "restore.lock"
ASIDE = "fortnight.toml.of-backup"


@dataclass(frozen=True)
class Restored:
    """What came back, to which schema it was brought, and what is left to do by hand."""

    manifest: Manifest
    revision: str
    remarks: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people."""
        held = self.manifest
        migrated = "" if held.revision == self.revision else f", migrated to {self.revision}"
        return [
            f"restored what {held.code} was at {held.made_at:%F %H:%M}Z, schema {held.revision}{migrated}",
            f"in it: {held.rows.get('forecast_issue', 0):,} forecasts, {held.rows.get('model_version', 0):,} model versions",
            *self.remarks,
            "see that it is what it was: fortnight verify --random 5; fortnight status",
        ]


def restore(settings: Settings, file: Path, progress: Progress = silent) -> Restored:
    """Put a backup in place: MLflow's store, pictures and settings first, the database last, in one transaction; then migrate it.

    Nothing of ours may run on either meanwhile.

    Raises:
        BackupError: it is damaged, of a newer fortnight, or there is something already where it would go.
        StoreError: this login may not make schemas and roles.
    """
    with _alone(settings.home):
        manifest = read_manifest(file)
        _require_fitting(settings, manifest, file)
        url, under_way = database_url(settings), settings.home / UNDER_WAY
        goes_on = under_way.exists() and under_way.read_text() == manifest.model_dump_json()
        is_there = _require_room(settings, url, manifest, goes_on=goes_on)
        draft = settings.home / DRAFT
        try:
            unpack(file, manifest, draft, lambda done, total: progress("files, MiB", done // MEBIBYTE, total // MEBIBYTE))
            under_way.write_text(manifest.model_dump_json())
            remarks = [*_place_mlflow(settings, manifest, draft), *_place_files(settings, draft)]
            if not is_there:
                dumps.restore(url, draft / DUMP, manifest.revision, lambda done: progress("Postgres, MiB", done // MEBIBYTE, 0))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        with explained(url), Store(url) as store:
            revision = schema.current(store.connection)
            if manifest.has_mlflow:
                remarks += _settle_aliases(settings.home, store)
        under_way.unlink()
    if manifest.logins:
        told = ", ".join(f"{name} ({role})" for name, role in manifest.logins.items())
        remarks.append(f"logins that the database had, where they are missing make them anew with 'fortnight access': {told}")
    return Restored(manifest, str(revision), tuple(remarks))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    private_home(home)
    lock = FileLock(home / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise AlreadyRunning(f"a restore into {home} is already running", "wait for it to end") from None
    try:
        yield
    finally:
        lock.release()


def _require_fitting(settings: Settings, manifest: Manifest, file: Path) -> None:
    if manifest.revision not in schema.revisions():
        raise BackupError(
            f"{file} has schema {manifest.revision}, this fortnight knows up to {schema.head()}",
            f"restore it with the fortnight that made it ({manifest.code}), or a newer one",
        )
    if manifest.has_mlflow and settings.mlflow_tracking_uri is not None:
        raise BackupError(
            f"{file} brings MLflow's store as files, and FORTNIGHT_MLFLOW_TRACKING_URI names a server",
            "unset it for the restore; then serve the restored store, or import it there",
        )


def _require_room(settings: Settings, url: str, manifest: Manifest, *, goes_on: bool) -> bool:
    """Whether the database is restored already, by a call that was killed after that.

    Raises:
        BackupError: it, or MLflow's store, holds something else.
    """
    with explained(url), connect(url) as connection:
        if is_there := dumps.holds_schema(connection):
            counted = dumps.count_rows(connection)
            if not (goes_on and all(counted.get(name) == rows for name, rows in manifest.rows.items())):
                remedy = (
                    "restore beside it: set another FORTNIGHT_HOME, or FORTNIGHT_DATABASE_URL of an empty database; if another "
                    f"command has only just made it: fortnight psql -- -c '{dumps.DROP}'"
                )
                raise BackupError(f"{describe(url)} holds a fortnight schema with {sum(counted.values()):,} rows", remedy)
    if manifest.has_mlflow and not goes_on:
        from forecasting.registry import files

        if not files.is_unused(settings.home):
            raise BackupError(f"{settings.home / MLFLOW} holds runs or models", "move it away, or set another FORTNIGHT_HOME")
    return is_there


def _place_mlflow(settings: Settings, manifest: Manifest, draft: Path) -> list[str]:
    if not manifest.has_mlflow:
        return [
            "MLflow was on a server of its own and is not in the backup; until it is back, champions come from copies in Postgres"
        ]
    from forecasting.registry import files

    store, elsewhere = draft / MLFLOW, []
    if (store / files.DATABASE).exists():
        elsewhere = files.relocate(store / files.DATABASE, Path(manifest.home), settings.home)
    place = settings.home / MLFLOW
    shutil.rmtree(place, ignore_errors=True)  # unused, or of a restore that was killed
    with contextlib.suppress(FileNotFoundError):
        store.rename(place)
    return [f"MLflow keeps the artefacts of an experiment in {each}, which is not in the backup" for each in elsewhere]


def _place_files(settings: Settings, draft: Path) -> list[str]:
    """Pictures beside those that there are; settings only where there are none."""
    for path in (draft / PICTURES).glob("*.png"):
        path.replace(private_folder(settings.home, PICTURES) / path.name)
    given = draft / CONFIG
    if not given.exists():
        return []
    place = config_file()
    if place.exists() and place.read_bytes() == given.read_bytes():
        return []
    if place.exists():
        given.replace(settings.home / ASIDE)
        return [f"{place} is kept; that of the backup is beside it in {settings.home / ASIDE}"]
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(given, place)
    return [f"settings are in {place}; secrets are not: set the variables that it names"]


def _settle_aliases(home: Path, store: Store) -> list[str]:
    """MLflow was copied a little later than Postgres: an alias that moved in between names a version that Postgres lacks."""
    from forecasting.registry import Registry

    registry, told = Registry(home, None), []
    for name, elected in store.versions.reigning().items():
        pointed = registry.champion(name)
        if pointed is not None and store.versions.by_number(name, pointed) is None:
            registry.move_champion(name, elected)
            told.append(
                f"{name}: version {elected} is champion again, as Postgres has it; version {pointed} came during the backup"
            )
    return told
