"""What the deployment's scripts leave: secrets in files, and a server with the three databases."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conftest import CHECKOUT, need
from tests.servers import find_postgres_binaries, run_tcp_server

DEPLOY = CHECKOUT / "deploy"


def script(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", DEPLOY / name, *map(str, arguments)], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


@dataclass(frozen=True)
class Deployed:
    """A server after `databases.sh`, and the folder of `secrets.sh` with its passwords."""

    secrets: Path
    administrator: str
    log: Path

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def login(self, name: str, database: str) -> str:
        password = self.secret("owner_password" if name == "fortnight" else f"{name}_password")
        return make_conninfo(self.administrator, user=name, dbname=database, password=password)

    def databases_made(self) -> subprocess.CompletedProcess[str]:
        given = conninfo_to_dict(self.administrator)
        return script(
            "databases.sh",
            FORTNIGHT_SECRETS=str(self.secrets),
            PGHOST=str(given["host"]),
            PGPORT=str(given["port"]),
            PGUSER="postgres",
            PGPASSWORD=str(given["password"]),
        )


@pytest.fixture(scope="session")
def deployed() -> Iterator[Deployed]:
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    binaries = find_postgres_binaries()
    need(binaries, "a PostgreSQL server, 15 or later, from the distribution")
    assert binaries is not None
    with run_tcp_server(binaries, home, password=secrets.token_urlsafe(12)) as address:
        given = conninfo_to_dict(address)
        # The distribution's server may log every statement; the passwords must stay out of its log even so.
        administrator = make_conninfo(address, user="postgres", dbname="postgres")
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("SELECT pg_reload_conf()")
        made = script("secrets.sh", home / "secrets", f"{given['host']}:{given['port']}")
        assert made.returncode == 0, made.stderr
        server = Deployed(home / "secrets", administrator, home / "server.log")
        first = server.databases_made()
        assert first.returncode == 0, first.stderr
        yield server
    shutil.rmtree(home)
