"""The database as one file, and back, by PostgreSQL's own programs, which come with the embedded server."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from psycopg import sql

from forecasting.errors import StoreError
from forecasting.store import schema
from forecasting.store.database import Connection, client_command, connect, statement

SCHEMAS = ("fortnight", "published")
UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"
"""What pg_restore 18 writes at the start of each script; older servers refuse it, and it says no more than the default."""
CHUNK = 1 << 20
POLL_S = 0.1
DROP = "DROP SCHEMA IF EXISTS published, fortnight CASCADE; DROP TABLE IF EXISTS public.schema_version, public.schema_lock"

Sized = Callable[[int], object]
"""Called with the bytes done so far."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """What a dump holds: its schema, rows by table, and the logins of before, which are the cluster's and not in it."""

    revision: str
    server: str
    rows: Mapping[str, int]
    logins: Mapping[str, str]


def dump(dsn: str, file: Path, progress: Sized) -> Dumped:
    """Write our schemas into a file (pg_dump's custom format), all as of one moment, while the service goes on.

    The rows are counted in the same snapshot. Migrations wait meanwhile; nobody else does.

    Raises:
        StoreError: there is nothing to dump, or this login may not read all of it.
    """
    with connect(dsn) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        revision = schema.current(connection)
        if revision is None:
            raise StoreError("the database holds no fortnight schema", "there is nothing to back up: run 'fortnight daily' first")
        told = Dumped(revision, _version(connection), count_rows(connection), _logins(connection))
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        wanted = [part for name in SCHEMAS for part in ("--schema", name)]
        command, environment = client_command(
            "pg_dump",
            dsn,
            ["--format=custom", f"--snapshot={row[0]}", *wanted, "--no-password", "--lock-wait-timeout=30s", f"--file={file}"],
        )
        with _started("pg_dump", command, environment) as process:
            while process.poll() is None:
                progress(file.stat().st_size if file.exists() else 0)
                time.sleep(POLL_S)
    return told


def restore(dsn: str, file: Path, revision: str, progress: Sized) -> None:
    """Bring a dump into a database without our schemas, in one transaction: killed, it leaves nothing.

    The script goes through psql, and not from pg_restore to the server, since any server older than pg_restore would refuse it. In
    the script psql takes SQL only, and none of its own commands, which a forged dump could run on this machine.

    Raises:
        StoreError: the database is not empty, the dump is damaged, or this login may not make schemas and roles.
    """
    with connect(dsn) as connection:
        schema.ensure_roles(connection)
    quiet = ["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"]
    psql, environment = client_command("psql", dsn, [*quiet, "--set=ON_ERROR_STOP=1", f"--set=revision={revision}"])
    pg_restore, _ = client_command("pg_restore", dsn, ["--exit-on-error", "--file=-", str(file)])
    with (
        _started("psql", psql, environment, stdin=subprocess.PIPE) as target,
        subprocess.Popen(pg_restore, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source,  # noqa: S603 - our own binaries
    ):
        assert source.stdout is not None
        assert source.stderr is not None
        assert target.stdin is not None
        failed = ""
        try:
            with target.stdin:
                # Not psql's own --single-transaction, which commits what it has when this process dies: here the end is said.
                target.stdin.write(b"BEGIN;\n")
                _pass_on(source.stdout, target.stdin, progress)
                failed = source.stderr.read().decode(errors="replace")
                if source.wait() == 0:
                    target.stdin.write(statement("settle_restored") + b"COMMIT;\n")
        except BrokenPipeError:  # psql has stopped, and says why itself
            source.kill()
        else:
            if source.returncode:
                raise StoreError(f"pg_restore: {_first_fault(failed)}", _remedy(failed))


def holds_schema(connection: Connection) -> bool:
    """Whether any part of our schemas is there."""
    row = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = ANY (%s)", (list(SCHEMAS),)).fetchone()
    assert row is not None
    return bool(row[0]) or schema.current(connection) is not None


def count_rows(connection: Connection) -> dict[str, int]:
    """Rows of each of our tables, partitions counted with the table that they are part of."""
    names = connection.execute(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = to_regnamespace('fortnight') AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
        """
    ).fetchall()
    counted = {}
    for (name,) in names:
        row = connection.execute(sql.SQL("SELECT count(*) FROM fortnight.{}").format(sql.Identifier(str(name)))).fetchone()
        assert row is not None
        counted[str(name)] = int(cast("int", row[0]))
    return counted


def _pass_on(source: IO[bytes], target: IO[bytes], progress: Sized) -> None:
    done = 0
    for line in source:  # the settings at the top; the first of ours comes after the last of them
        if line != UNKNOWN_BEFORE_17:
            target.write(line)
        if line.startswith(b"SET row_security"):
            break
    while chunk := source.read(CHUNK):
        target.write(chunk)
        done += len(chunk)
        progress(done)


@contextmanager
def _started(
    program: str, command: list[str], environment: dict[str, str], stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of PostgreSQL's while the block runs; at its end, which waits for it, what it complained of is raised.

    Raises:
        StoreError: it failed.
    """
    process = subprocess.Popen(  # noqa: S603 - our own binaries, arguments never pass a shell
        command,
        env={**os.environ, **environment},
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with process:
        try:
            yield process
            complaint = process.stderr.read().decode(errors="replace")
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise StoreError(f"{program}: {_first_fault(complaint)}", _remedy(complaint))


def _first_fault(complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    found = next((line for line in lines if "error:" in line or "ERROR:" in line), lines[0] if lines else "it was killed")
    return found.rsplit("rror: ", 1)[-1].rsplit("ERROR:", 1)[-1].strip()


def _remedy(complaint: str) -> str:
    if "permission denied" in complaint or "must be" in complaint:
        return "do it as the login that owns the database and has CREATEROLE; for a backup, a writer suffices"
    if "already exists" in complaint:
        return f"empty the database first: {DROP}"
    return "nothing is half-written: correct that and run the same command again"


def _version(connection: Connection) -> str:
    row = connection.execute("SHOW server_version").fetchone()
    assert row is not None
    return str(row[0])


def _logins(connection: Connection) -> dict[str, str]:
    """Members of our groups by name: they would have to be made again elsewhere, since passwords are in no backup."""
    rows = connection.execute(
        """
        SELECT member.rolname, substr(grp.rolname, 11)
        FROM pg_auth_members AS m
        JOIN pg_roles AS member ON member.oid = m.member AND member.rolcanlogin
        JOIN pg_roles AS grp ON grp.oid = m.roleid AND grp.rolname IN ('fortnight_reader', 'fortnight_writer')
        ORDER BY 1
        """
    ).fetchall()
    return {str(name): str(role) for name, role in rows}
