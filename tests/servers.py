"""Servers under test: a PostgreSQL of the distribution, on TCP, with passwords; and what starting any of them needs."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import requests
from psycopg.conninfo import make_conninfo

from forecasting.cli.parts import die_with_parent

OWNER = "migrator"
ANSWER_LIMIT_S = 180
START_LIMIT_S = 60


def find_postgres_binaries() -> Path | None:
    """Where initdb is: on the PATH, or where Debian puts it, newest version first."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max((path for path in installed if int(path.parent.name) >= 15), key=lambda path: int(path.parent.name), default=None)


@contextmanager
def run_tcp_server(binaries: Path, home: Path, password: str) -> Iterator[str]:
    """The DSN of an owner who may create databases, while the server runs. It ends with this process, however that ends."""
    data, secret, log = home / "data", home / "secret", home / "server.log"
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    secret.write_text(password)
    if account:
        for path in (home, secret):
            os.chown(path, account.pw_uid, account.pw_gid)

    def begin(program: str, *arguments: str, output: int | None = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [binaries / program, *arguments],
            stdout=output,
            stderr=output if program == "postgres" else None,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into the kernel
        )

    initialised = ["-D", str(data), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
    assert begin("initdb", *initialised).wait() == 0
    port = str(free_ports(1)[0])
    # A worker of autovacuum would keep the owner from dropping a test's database.
    options = ["-h", "127.0.0.1", "-p", port, "-k", str(home), "-c", "fsync=off", "-c", "autovacuum=off"]
    with log.open("ab") as written:
        if account:
            os.chown(log, account.pw_uid, account.pw_gid)
        server = begin("postgres", "-D", str(data), *options, output=written.fileno())
    try:
        address = {"host": "127.0.0.1", "port": port}
        with _first_connection(
            make_conninfo(**address, user="postgres", password=password, dbname="postgres"), server
        ) as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'".encode())
        yield make_conninfo(**address, user=OWNER, password=password)
    finally:
        server.send_signal(signal.SIGQUIT)  # at once
        server.wait(60)


def _first_connection(dsn: str, server: "subprocess.Popen[bytes]") -> "psycopg.Connection[tuple[object, ...]]":
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return psycopg.connect(dsn)
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def await_health(process: "subprocess.Popen[bytes]", url: str) -> None:
    """Wait until a server of ours answers, as the health check of compose asks: without a password."""
    deadline = time.monotonic() + ANSWER_LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended"
        with suppress(requests.RequestException):
            if requests.get(url, timeout=8).ok:
                return
        time.sleep(0.3)
    raise AssertionError(f"{url} does not answer")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all of them different."""
    with ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in found]
