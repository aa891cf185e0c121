"""Everything in one file, and back: into an empty state folder, and into an empty server of another version."""

import hashlib
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from forecasting import archive
from forecasting.errors import BackupError, StoreError
from forecasting.jobs.backup import backup
from forecasting.jobs.champion import load
from forecasting.jobs.lineage import verify
from forecasting.jobs.restore import restore
from forecasting.registry import Registry
from forecasting.service import open_service
from forecasting.settings import Settings, load_settings
from forecasting.store import Store, dumps, embedded, schema
from forecasting.store.database import connect
from tests.conftest import need
from tests.journey.commands import DAILY, QUICK, environment, fortnight, refused, state_of
from tests.servers import find_postgres_binaries, run_tcp_server

SETTINGS = "[training]\nepochs = 2\n"
BASELINES = {"FORTNIGHT_MODEL__CANDIDATES": '["weekly_naive", "same_weekday_mean"]'}
OWNERS = "secret-of-the-owner"
MODEL = "fortnight-simulated-daily"
PASSWORD = "of-no-use-to-others"  # noqa: S105


@pytest.fixture(scope="module")
def source() -> Iterator[Path]:
    """A state folder after one daily run, with settings and a reader's login."""
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    (home / "fortnight.toml").write_text(SETTINGS)
    done = fortnight(home, *DAILY, **BASELINES)
    assert done.returncode == 0, done.stderr
    with Store(embedded.ensure_running(home)) as store:
        store.access.grant("ann", "reader", PASSWORD)
    yield home
    embedded.stop(home)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def shelf() -> Iterator[Path]:
    """Where backups go."""
    folder = Path(tempfile.mkdtemp(prefix="fn-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def taken(source: Path, shelf: Path) -> Path:
    """A backup of it."""
    file = shelf / "whole.tar"
    done = fortnight(source, "backup", "--to", str(file))
    assert done.returncode == 0, done.stderr
    assert "1 forecasts, 2 model versions" in done.stdout
    assert "make the logins ann anew" in done.stdout
    return file


@pytest.fixture(scope="module")
def second() -> Iterator[Path]:
    """A state folder that the first test restores into and the last goes on with."""
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    yield home
    embedded.stop(home)
    shutil.rmtree(home)


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """The settings of a state folder, in this process: as quick as the commands'."""

    def read(home: Path, **variables: str) -> Settings:
        for name, value in {**QUICK, "FORTNIGHT_HOME": str(home), **variables}.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return read


def catalog(dsn: str) -> str:
    """Our schemas as pg_dump writes them down, rights and owners included; less a name that PostgreSQL adds to unnamed columns."""
    command, variables = dumps.client_command(
        "pg_dump", dsn, ["--schema-only", "--schema=fortnight", "--schema=published", "--restrict-key=x"]
    )
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    return done.stdout.replace("::text AS text", "::text")


def rights(dsn: str) -> object:
    """What belongs to the database and the schema public."""
    with connect(dsn) as connection:
        return connection.execute(
            """
            SELECT (SELECT array_agg(a::text ORDER BY a::text) FROM pg_database, unnest(datacl) AS a
                    WHERE datname = current_database()),
                   (SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'),
                   (SELECT array_agg(defaclacl::text ORDER BY defaclacl::text) FROM pg_default_acl),
                   (SELECT relacl::text FROM pg_class WHERE oid = 'public.schema_version'::regclass)
            """
        ).fetchone()


def issues(dsn: str) -> int:
    with connect(dsn) as connection:
        return dumps.count_rows(connection)["forecast_issue"]


def test_a_backup_goes_on_in_an_empty_state_folder(
    source: Path, taken: Path, second: Path, settings_of: Callable[..., Settings]
) -> None:
    done = fortnight(second, "restore", str(taken))
    assert done.returncode == 0, done.stderr
    assert "ann (reader)" in done.stdout
    assert "settings are in" in done.stdout
    assert catalog(embedded.ensure_running(second)) == catalog(embedded.ensure_running(source))
    assert rights(embedded.ensure_running(second)) == rights(embedded.ensure_running(source))
    assert state_of(second) == state_of(source)
    assert (second / "fortnight.toml").read_text() == SETTINGS
    assert [path.name for path in (second / "pictures").iterdir()] == [path.name for path in (source / "pictures").iterdir()]
    assert not (second / "restore.new").exists()
    registry = Registry(second, None)
    version = registry.client.get_model_version_by_alias(MODEL, "champion")
    assert version.source.startswith((second / "mlflow").as_uri())
    assert registry.fetch(str(version.run_id)) == Registry(source, None).fetch(str(version.run_id))
    assert registry.client.search_experiments(filter_string="name LIKE 'fortnight/%'")[0].artifact_location.startswith(
        second.as_uri()
    )
    with open_service(settings_of(second), datetime(2026, 1, 1, tzinfo=UTC)) as service:
        assert [each.identical for each in verify(service, [1])] == [True]
    with pytest.raises(BackupError, match=r"holds a fortnight schema.*DROP SCHEMA IF EXISTS published, fortnight CASCADE"):
        restore(settings_of(second), taken)


def test_a_backup_goes_on_on_another_server_by_an_owner_without_privileges(
    taken: Path, folder: Path, settings_of: Callable[..., Settings], capfd: pytest.CaptureFixture[str]
) -> None:
    """Of an older PostgreSQL where the distribution has one, over TCP, by a login that is no superuser; and dumped again by a
    writer, whose rights suffice for that."""
    binaries = find_postgres_binaries()
    need(binaries, "a PostgreSQL server, 15 or later, from the distribution")
    assert binaries is not None
    server = Path(tempfile.mkdtemp(prefix="fn-"))
    with run_tcp_server(binaries, server, password=OWNERS) as address:
        with psycopg.connect(make_conninfo(address, dbname="postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE elsewhere")
        url = "postgresql://{user}:{password}@{host}:{port}/elsewhere".format(**conninfo_to_dict(address))
        settings = settings_of(folder, FORTNIGHT_DATABASE_URL=url)
        assert restore(settings, taken).revision == schema.head()
        with open_service(settings, datetime(2026, 1, 1, tzinfo=UTC)) as service:
            assert [each.identical for each in verify(service, [1])] == [True]
            service.store.access.grant("daily", "writer", PASSWORD)
            service.store.connection.execute("SELECT fortnight.ensure_month('2030-01-01Z')")
        told = dumps.dump(make_conninfo(url, user="daily", password=PASSWORD), folder / "by_writer.dump", lambda _: None)
        assert (told.revision, told.rows["forecast_issue"], told.logins) == (schema.head(), 1, {"daily": "writer"})
        with pytest.raises(BackupError, match="holds a fortnight schema") as error:
            restore(settings, taken)
        shown = capfd.readouterr()
        assert OWNERS not in str(error.value) + shown.out + shown.err
    shutil.rmtree(server)


def test_only_so_many_of_ours_are_kept(source: Path, shelf: Path, taken: Path, settings_of: Callable[..., Settings]) -> None:
    place = shelf / "many"
    place.mkdir()
    (place / "fortnight-notes.tar").write_text("no backup")
    shutil.copy(taken, place / "fortnight-20200101T000000Z.tar")
    other = rewritten(taken, place / "fortnight-20200102T000000Z.tar", {}, home="/elsewhere")
    now = datetime(2100, 1, 1, tzinfo=UTC)
    done = backup(settings_of(source), place, now, keep=1)
    assert sorted(path.name for path in place.iterdir()) == sorted(
        [other.name, "fortnight-21000101T000000Z.tar", "fortnight-notes.tar"]
    )
    assert [path.name for path in done.removed] == ["fortnight-20200101T000000Z.tar"]
    assert [path.name for path in done.odd] == ["fortnight-notes.tar"]
    assert archive.read_manifest(done.file).rows == archive.read_manifest(taken).rows
    assert done.file.stat().st_mode & 0o077 == 0
    with pytest.raises(BackupError, match="is there already"):
        backup(settings_of(source), done.file, now)
    with pytest.raises(BackupError, match="keep one backup at least"):
        backup(settings_of(source), place, now, keep=0)


def test_a_remote_mlflow_is_told_of_and_left_to_its_own_means(
    source: Path, shelf: Path, folder: Path, settings_of: Callable[..., Settings]
) -> None:
    settings = settings_of(source, FORTNIGHT_MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    done = backup(settings, shelf / "remote.tar", datetime(2026, 1, 1, tzinfo=UTC))
    assert any("MLflow is on a server of its own" in line and "last three champions" in line for line in done.lines())
    assert not any(name.startswith("mlflow") for name in done.manifest.files)
    settings = settings_of(folder)
    assert any("champions come from copies" in line for line in restore(settings, done.file).lines())
    with open_service(settings, datetime(2026, 1, 1, tzinfo=UTC)) as service:
        assert [each.identical for each in verify(service, [1])] == [True], "from the copy in Postgres"


def test_a_killed_backup_leaves_nothing_that_looks_like_one(
    source: Path, shelf: Path, settings_of: Callable[..., Settings]
) -> None:
    place = shelf / "killed"
    command = [sys.executable, "-m", "forecasting.cli", "backup", "--to", str(place)]
    process = subprocess.Popen(command, env=environment(source), stderr=subprocess.DEVNULL)
    while not any(place.glob(".fortnight-draft-*/*.dump")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name.startswith(".fortnight-draft-") for path in place.iterdir()] == [True]
    done = backup(settings_of(source), place, datetime(2026, 1, 1, tzinfo=UTC))
    assert list(place.iterdir()) == [done.file]
    assert archive.read_manifest(done.file).rows["forecast_issue"] == 1


def test_a_killed_restore_goes_on(taken: Path, folder: Path, settings_of: Callable[..., Settings]) -> None:
    """Killed with MLflow in place and the database being written; and after it was restored, but before that was noted."""
    dsn = embedded.ensure_running(folder)
    command = [sys.executable, "-m", "forecasting.cli", "restore", str(taken)]
    with subprocess.Popen(command, env=environment(folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not (folder / "mlflow" / "mlflow.db").exists():
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    under_way = folder / "restore.json"
    assert under_way.exists(), "it was killed in the middle"
    manifest = archive.read_manifest(taken)
    for _ in range(2):
        assert restore(settings_of(folder), taken).revision == schema.head()
        assert not under_way.exists()
        with connect(dsn) as connection:
            assert dumps.count_rows(connection) == manifest.rows
        under_way.write_text(manifest.model_dump_json())  # as it is until the very end
    with connect(dsn) as connection:
        connection.execute("INSERT INTO fortnight.series_lock VALUES ('somebody')")
    with pytest.raises(BackupError, match="holds a fortnight schema"):
        restore(settings_of(folder), taken)


# ------------------------------------------------------------------------------------------------------- damaged and hostile files


def rewritten(taken: Path, target: Path, changed: dict[str, bytes], **told: object) -> Path:
    """A backup with other contents, its manifest made to fit."""
    manifest = archive.read_manifest(taken).model_copy(update=told)
    with tempfile.TemporaryDirectory() as folder:
        archive.unpack(taken, archive.read_manifest(taken), Path(folder) / "in", lambda *_: None)
        for name, content in changed.items():
            (Path(folder) / "in" / name).write_bytes(content)
        archive.write(
            Path(folder), target, manifest, {name: Path(folder) / "in" / name for name in manifest.files}, lambda *_: None
        )
    return target


def flipped(taken: Path, target: Path, at: int) -> Path:
    content = bytearray(taken.read_bytes())
    content[at] ^= 1
    target.write_bytes(content)
    return target


def untouched(folder: Path) -> bool:
    return not any((folder / name).exists() for name in ("mlflow", "pictures", "fortnight.toml", "restore.new", "restore.json"))


def test_a_damaged_backup_is_refused_and_changes_nothing(taken: Path, folder: Path) -> None:
    with tarfile.open(taken) as opened:
        places = {member.name: member.offset_data for member in opened.getmembers()}
    file = folder / "damaged.tar"
    flipped(taken, file, places["postgres.dump"] + 1000)
    refused(fortnight(folder, "restore", str(file)), "is damaged: postgres.dump does not match its digest", "whole backup")
    assert untouched(folder)
    size = taken.stat().st_size
    for cut in (0, 700, places["postgres.dump"] + 5, size // 2, places["manifest.json"] + 10, places["manifest.json.sha256"] - 512):
        file.write_bytes(taken.read_bytes()[:cut])
        with pytest.raises(BackupError, match=r"no whole backup|no manifest|does not hold"):
            archive.read_manifest(file)
    with pytest.raises(BackupError, match="manifest does not match"):
        archive.read_manifest(flipped(taken, file, places["manifest.json"] + 30))
    for name in ("mlflow/mlflow.db", "fortnight.toml"):
        with pytest.raises(BackupError, match=f"{name} does not match"):
            archive.unpack(flipped(taken, file, places[name] + 2), archive.read_manifest(file), folder / "new", lambda *_: None)
    with pytest.raises(BackupError, match="cannot be read: No such file"):
        archive.read_manifest(folder / "absent.tar")


@pytest.mark.parametrize("kind", ["climbing", "absolute", "link", "device", "unlisted", "twice"])
def test_a_hostile_archive_is_refused(kind: str, folder: Path) -> None:
    name = {"climbing": "../../escaped", "absolute": str(folder / "escaped"), "unlisted": "pictures/x.png"}.get(kind, "mlflow/a")
    data = b"x"
    parts = {} if kind == "unlisted" else {name: archive.Part(size_bytes=1, sha256=hashlib.sha256(data).hexdigest())}
    manifest = archive.Manifest(
        made_at="2026-01-01T00:00:00Z", code="c", home="/h", database="d", server="18", revision=schema.head(), rows={}, logins={},
        has_mlflow=True, files=parts,
    )  # fmt: skip
    text = manifest.model_dump_json().encode()
    file = folder / "hostile.tar"
    with tarfile.open(file, "w") as made:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        if kind in ("link", "device"):
            member.size, member.type, member.linkname = 0, tarfile.SYMTYPE if kind == "link" else tarfile.FIFOTYPE, "/etc/passwd"
        for _ in range(2 if kind == "twice" else 1):
            made.addfile(member, io.BytesIO(data))
        for label, content in ((archive.MANIFEST, text), (archive.SUM, hashlib.sha256(text).hexdigest().encode() + b"  m")):
            member = tarfile.TarInfo(label)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    with pytest.raises(BackupError, match=r"does not hold|cannot lie in a backup|no whole backup"):
        archive.unpack(file, archive.read_manifest(file), folder / "deep" / "new", lambda *_: None)
    assert not list(folder.rglob("escaped"))


def test_what_cannot_be_restored_here_says_why(taken: Path, folder: Path, settings_of: Callable[..., Settings]) -> None:
    newer = rewritten(taken, folder / "newer.tar", {}, revision="9999", code="that-of-tomorrow")
    with pytest.raises(BackupError, match=r"schema 9999.*that-of-tomorrow"):
        restore(settings_of(folder), newer)
    broken = rewritten(taken, folder / "broken.tar", {"postgres.dump": b"PGDMP" + b"\0" * 99})
    with pytest.raises(StoreError, match=r"pg_restore: .*nothing is half-written"):
        restore(settings_of(folder), broken)
    with connect(embedded.ensure_running(folder)) as connection:
        assert not dumps.holds_schema(connection)
    with pytest.raises(BackupError, match=r"mlflow holds runs or models; move it away"):
        restore(settings_of(folder), taken)
    with pytest.raises(BackupError, match=r"FORTNIGHT_MLFLOW_TRACKING_URI names a server; unset it"):
        restore(settings_of(folder, FORTNIGHT_MLFLOW_TRACKING_URI="http://127.0.0.1:1"), taken)


def test_an_alias_that_moved_during_the_backup_goes_back_to_what_postgres_knows(
    taken: Path, folder: Path, settings_of: Callable[..., Settings]
) -> None:
    archive.unpack(taken, archive.read_manifest(taken), folder / "in", lambda *_: None)
    with closing(sqlite3.connect(folder / "in" / "mlflow" / "mlflow.db")) as database, database:
        assert database.execute("UPDATE registered_model_aliases SET version = 3").rowcount == 1
        database.execute("CREATE TEMP TABLE next AS SELECT * FROM model_versions WHERE version = 2")
        database.execute("UPDATE next SET version = 3")
        database.execute("INSERT INTO model_versions SELECT * FROM next")
    moved = rewritten(taken, folder / "moved.tar", {"mlflow/mlflow.db": (folder / "in" / "mlflow" / "mlflow.db").read_bytes()})
    done = restore(settings_of(folder), moved)
    assert any("version 3 came during the backup" in line for line in done.lines())
    with Store(embedded.ensure_running(folder)) as store:
        assert store.versions.reigning() == {MODEL: Registry(folder, None).champion(MODEL)}


@pytest.mark.costly
def test_a_daily_run_goes_on_after_a_restore_and_backups_beside_it_are_whole(
    second: Path, shelf: Path, folder: Path, settings_of: Callable[..., Settings]
) -> None:
    """Of the last backup made beside it, and of one made afterwards, every version in Postgres has its files in MLflow."""
    place, taken_at = shelf / "beside", datetime(2026, 1, 1, tzinfo=UTC)
    command = [sys.executable, "-m", "forecasting.cli", "daily", "--source", "simulated", "--as-of", "2024-03-02"]
    made = []
    with subprocess.Popen(
        command, env=environment(second, **BASELINES), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            made.append(backup(settings_of(second), place, taken_at))
            taken_at += timedelta(seconds=1)
            time.sleep(1)
    assert process.returncode == 0
    state = state_of(second)
    assert (state["issues"], state["values"], state["versions"], state["runs"]) == (2, 28, 4, ["FINISHED"] * 6)
    numbers = [done.manifest.rows["model_version"] for done in made]
    assert set(numbers) <= {2, 4}
    assert len(numbers) > 1
    settings = settings_of(folder)
    restore(settings, made[-1].file)
    with open_service(settings, taken_at) as service:
        versions = [service.store.versions.by_number(MODEL, number) for number in range(1, numbers[-1] + 1)]
        assert all(version is not None and load(service, version) for version in versions)
        assert [each.identical for each in verify(service, service.store.forecasts.ready_ids([]))] == [True] * made[
            -1
        ].manifest.rows["forecast_issue"]
