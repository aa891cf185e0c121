"""A PostgreSQL server from the distribution, on TCP, with passwords."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

OWNER = "migrator"


def find_postgres_binaries() -> Path | None:
    """Where initdb is: on the PATH, or where Debian puts it, newest version first."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max((path for path in installed if int(path.parent.name) >= 15), key=lambda path: int(path.parent.name), default=None)


@contextmanager
def run_tcp_server(binaries: Path, home: Path, password: str) -> Iterator[str]:
    """The DSN of an owner who may create databases, while the server runs."""
    data, secret, log = home / "data", home / "secret", home / "server.log"
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    secret.write_text(password)
    if account:
        for path in (home, secret):
            os.chown(path, account.pw_uid, account.pw_gid)

    def call(program: str, *arguments: str, **environment: str) -> None:
        subprocess.run(
            [binaries / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            env={**os.environ, **environment},
            cwd="/",
        )

    call("initdb", "-D", str(data), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A worker of autovacuum would keep the owner from dropping a test's database.
    options = f"-h 127.0.0.1 -p {port} -k {home} -c fsync=off -c autovacuum=off"
    call("pg_ctl", "start", "-w", "-D", str(data), "-o", options, "-l", str(log))
    try:
        address = {"host": "127.0.0.1", "port": str(port)}
        create = f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'"
        call("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-qc", create, PGPASSWORD=password)
        yield make_conninfo(**address, user=OWNER, password=password)
    finally:
        call("pg_ctl", "stop", "-m", "immediate", "-D", str(data))
