"""A backup as one file: a plain tar that ends with a manifest, which has the digest of every other file, and the manifest's own.

It is written beside its place and renamed, so that a killed backup leaves nothing that looks like one. Digests tell damage, not
forgery: a backup may hold what runs in the database, so restore only your own.
"""

import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError

from forecasting.errors import BackupError

MANIFEST, SUM = "manifest.json", "manifest.json.sha256"
FORMAT = 1
DRAFT = ".fortnight-draft-"
LOCK = "lock"
LARGEST_MANIFEST = 1 << 28
OTHER = "give the path of a whole backup that 'fortnight backup' made"

Counted = Callable[[int, int], object]
"""Called with the bytes done and those to do."""


class Part(BaseModel):
    """A file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds, of what, and when it was made.

    `revision` is the database's schema, `rows` counts those of each table, `logins` are names and roles without passwords, `home`
    is the state folder that absolute locations in MLflow's files refer to, `files` are the members of the archive.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int = FORMAT
    made_at: datetime
    code: str
    home: str
    database: str
    server: str
    revision: str
    rows: Mapping[str, int]
    logins: Mapping[str, str]
    has_mlflow: bool
    files: Mapping[str, Part] = {}

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(part.size_bytes for part in self.files.values())


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """An empty folder on the disk of a backup to be, gone afterwards.

    Those that killed backups left are removed; a running one holds a lock on its own.

    Raises:
        BackupError: it cannot be made there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f"{DRAFT}*"):
            _remove_if_dead(left)
        folder = Path(tempfile.mkdtemp(prefix=f".new{DRAFT}", dir=target.parent))
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = folder.rename(folder.with_name(folder.name.removeprefix(".new")))  # locked before it can be seen
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise BackupError(
            f"no backup in {target.parent}: {error.strerror or error}", "make room, or choose another place with --to"
        ) from None


def write(draft: Path, target: Path, manifest: Manifest, parts: Mapping[str, Path], progress: Counted) -> Manifest:
    """Pack files under their names, then the manifest, and let the archive appear at its place.

    A file that is gone by now is left out: MLflow may have deleted it meanwhile.

    Returns:
        the manifest with its files.
    """
    unfinished = draft / "archive"
    total, done, files = sum(path.stat().st_size for path in parts.values() if path.exists()), 0, {}
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, path in parts.items():
                part = _add(archive, name, path)
                if part is not None:
                    files[name] = part
                    done += part.size_bytes
                    progress(done, max(done, total))
            whole = manifest.model_copy(update={"files": files})
            text = whole.model_dump_json(indent=1).encode()
            (draft / MANIFEST).write_bytes(text)
            (draft / SUM).write_text(f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n")
            for name in (MANIFEST, SUM):
                _add(archive, name, draft / name)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(target)
    return whole


def read_manifest(file: Path) -> Manifest:
    """The manifest of an archive that holds what it says, by name and size; digests are checked by `unpack`.

    Raises:
        BackupError: it is no backup, or not a whole one.
    """
    with _opened(file) as archive:
        members = archive.getmembers()
        found = {member.name: member for member in members if member.isfile()}
        if MANIFEST not in found or SUM not in found:
            raise BackupError(f"{file} has no manifest: it is no backup of fortnight, or it was cut off", OTHER)
        if max(found[name].size for name in (MANIFEST, SUM)) > LARGEST_MANIFEST:
            raise BackupError(f"{file} has a manifest of {found[MANIFEST].size:,} bytes", OTHER)
        text, told = (_read(archive, found[name]) for name in (MANIFEST, SUM))
        if hashlib.sha256(text).hexdigest() != told.split(b" ")[0].decode(errors="replace"):
            raise BackupError(f"{file} is damaged: its manifest does not match its digest", OTHER)
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise BackupError(
                f"{file} was made by another fortnight: {first['loc']}: {first['msg']}", "restore it with that"
            ) from None
        if manifest.format != FORMAT:
            raise BackupError(f"{file} has format {manifest.format}, this fortnight reads {FORMAT}", "restore it with a newer one")
        if astray := [name for name in manifest.files if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts]:
            raise BackupError(f"{file}: {astray[0]!r} cannot lie in a backup", OTHER)
        sizes = {name: part.size_bytes for name, part in manifest.files.items()}
        there = {name: member.size for name, member in found.items() if name not in (MANIFEST, SUM)}
        if sizes != there or len(found) != len(members):
            odd = sorted(set(sizes.items()) ^ set(there.items()))[:1] or [(m.name, m.size) for m in members if not m.isfile()][:1]
            raise BackupError(f"{file} does not hold what its manifest says, first of all {odd[0][0] if odd else 'twice'!r}", OTHER)
    return manifest


def unpack(file: Path, manifest: Manifest, folder: Path, progress: Counted) -> None:
    """Write all files below a new folder, each checked against its digest.

    Raises:
        BackupError: a file is not what it was, or wants to go elsewhere; or the disk is too small.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    free, needed, done = shutil.disk_usage(folder).free, manifest.size_bytes, 0
    if free < needed:
        raise BackupError(
            f"{folder} has {free:,} bytes free, the backup needs {needed:,}", "make room, or set FORTNIGHT_HOME elsewhere"
        )
    with _opened(file) as archive:
        for member in archive:
            part = manifest.files.get(member.name)
            if part is None:
                continue
            archive.extract(member, folder, filter="data")
            with (folder / member.name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != part.sha256:
                    raise BackupError(f"{file} is damaged: {member.name} does not match its digest", OTHER)
            done += part.size_bytes
            progress(done, needed)


def prune(folder: Path, newest: Manifest, keep: int) -> tuple[list[Path], list[Path]]:
    """Remove older backups of the same service from a folder, all but so many.

    Returns:
        what was removed, and what is named like a backup but is none that can be read, and was left.
    """
    ours, odd = [], []
    for file in sorted(folder.glob("fortnight-*.tar")):
        try:
            manifest = read_manifest(file)
        except BackupError:
            odd.append(file)
            continue
        if (manifest.home, manifest.database) == (newest.home, newest.database) and not file.is_symlink():
            ours.append((manifest.made_at, file))
    removed = [file for _, file in sorted(ours)[:-keep]]
    for file in removed:
        file.unlink()
    return removed, odd


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{file} is no whole backup of fortnight: {error}", OTHER) from None
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror or error}", OTHER) from None


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    assert stream is not None
    return stream.read()


class _Digesting:
    """A file that is digested as it is read."""

    def __init__(self, path: Path) -> None:
        self.stream = path.open("rb")
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self.stream.read(size)
        self.digest.update(block)
        return block


def _add(archive: tarfile.TarFile, name: str, path: Path) -> Part | None:
    try:
        source = _Digesting(path)
    except FileNotFoundError:
        return None
    with source.stream:
        status = os.fstat(source.stream.fileno())
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = status.st_size, int(status.st_mtime), 0o600
        archive.addfile(member, source)  # type: ignore[arg-type]  # it asks for nothing but read
    return Part(size_bytes=member.size, sha256=source.digest.hexdigest())


def _remove_if_dead(draft: Path) -> None:
    try:
        with (draft / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(draft, ignore_errors=True)
    except (FileNotFoundError, BlockingIOError):
        return  # gone meanwhile, or another backup is at it
