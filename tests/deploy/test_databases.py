"""The databases that compose makes, made by the same script on a server of the distribution."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from forecasting.store import Store
from tests.deploy.conftest import Deployed, script

NAMES = ("fortnight", "mlflow", "prefect")
OTHERS = [pair for pair in itertools.product(NAMES, (*NAMES, "postgres", "template1")) if pair[0] != pair[1]]


@pytest.mark.parametrize("name", NAMES)
def test_each_login_reaches_its_own_database_and_may_make_tables_there(deployed: Deployed, name: str) -> None:
    with psycopg.connect(deployed.login(name, name), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.mine (n int)")
        connection.execute("DROP TABLE public.mine")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE DATABASE another")


@pytest.mark.parametrize(("name", "database"), OTHERS)
def test_no_login_reaches_another_database(deployed: Deployed, name: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(deployed.login(name, database))


def test_prefect_searches_by_trigrams(deployed: Deployed) -> None:
    with psycopg.connect(deployed.login("prefect", "prefect")) as connection:
        row = connection.execute("SELECT similarity('fortnight', 'fortnight') = 1").fetchone()
    assert row == (True,)


def test_a_second_run_keeps_what_there_is_and_takes_a_new_password(deployed: Deployed) -> None:
    with psycopg.connect(deployed.login("mlflow", "mlflow"), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.kept AS SELECT 1 AS n")
    before = {path.name: path.read_text() for path in deployed.secrets.iterdir()}
    (deployed.secrets / "mlflow_password").unlink()
    address = conninfo_to_dict(deployed.administrator)
    assert script("secrets.sh", deployed.secrets, f"{address['host']}:{address['port']}").returncode == 0
    after = {path.name: path.read_text() for path in deployed.secrets.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"mlflow_password", "fortnight_serve__mlflow_database_url"}
    again = deployed.databases_made()
    assert again.returncode == 0, again.stderr
    with psycopg.connect(deployed.login("mlflow", "mlflow"), autocommit=True) as connection:
        assert connection.execute("TABLE public.kept").fetchall() == [(1,)]
        connection.execute("DROP TABLE public.kept")


def test_the_service_runs_as_a_writer_that_the_owner_made(deployed: Deployed, folder: Path) -> None:
    """What compose's `migrate` does, and what the other services then find."""

    def fortnight(*arguments: str, url: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {"FORTNIGHT_HOME": str(folder), "FORTNIGHT_DATABASE_URL": deployed.secret(url), **more}
        command = [sys.executable, "-m", "forecasting.cli", *arguments]
        return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)

    migrated = fortnight("migrate", url="owner_database_url")
    assert migrated.returncode == 0, migrated.stderr
    password = {"FORTNIGHT_NEW_PASSWORD": deployed.secret("writer_password")}
    granted = fortnight("access", "service", "--role", "writer", url="owner_database_url", **password)
    assert granted.returncode == 0, granted.stderr
    with Store(deployed.secret("fortnight_database_url")) as store:
        rights = store.connection.execute(
            "SELECT pg_has_role('fortnight_writer', 'USAGE'), pg_has_role('fortnight_owner', 'MEMBER')"
        ).fetchone()
    assert rights == (True, False)
    for database in ("mlflow", "prefect"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(deployed.secret("fortnight_database_url").replace("/fortnight", f"/{database}"))


def test_passwords_are_long_and_their_own_and_stay_out_of_the_log(deployed: Deployed) -> None:
    passwords = [path.read_text() for path in deployed.secrets.glob("*password")]
    assert len(set(passwords)) == len(passwords) == 6
    assert all(len(password) == 48 for password in passwords)
    log = deployed.log.read_text()
    assert "CREATE EXTENSION" in log, "the server logs statements"
    assert not [password for password in passwords if password in log]


def test_others_on_the_machine_do_not_get_at_the_secrets(deployed: Deployed) -> None:
    assert deployed.secrets.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        stolen = subprocess.run(["cat", deployed.secrets / "owner_password"], user="nobody", capture_output=True)
        assert (stolen.returncode, stolen.stdout) == (1, b"")


def test_a_missing_password_is_named_before_anything_is_done(deployed: Deployed, tmp_path: Path) -> None:
    done = script("databases.sh", FORTNIGHT_SECRETS=str(tmp_path), PGHOST="127.0.0.1", PGPORT="1")
    assert done.returncode == 2
    assert f"{tmp_path}/owner_password is missing" in done.stderr
