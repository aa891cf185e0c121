"""Migrations: from nothing, twice, at once, and refusals."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.conninfo import make_conninfo

from forecasting.errors import StoreError
from forecasting.store import Store, schema
from forecasting.store.database import connect, describe, psql
from tests.conftest import Server


def open_and_close(dsn: str) -> None:
    Store(dsn).connection.close()


def test_an_empty_database_is_brought_up_to_date_and_stays_so(empty_dsn: str) -> None:
    for _ in range(2):
        with Store(empty_dsn) as store:
            assert schema.current(store.connection) == schema.head()


def test_several_first_runs_at_once_migrate_once(empty_dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_and_close, [empty_dsn] * 4))
    with Store(empty_dsn) as store:
        assert store.connection.execute("SELECT count(*) FROM public.schema_version").fetchone() == (1,)


def test_a_newer_schema_is_not_touched(dsn: str) -> None:
    with connect(dsn) as connection:
        connection.execute("UPDATE public.schema_version SET version_num = '9999'")
        connection.execute("UPDATE fortnight.schema_floor SET oldest_code = '9999'")
    with pytest.raises(StoreError, match=r"schema 9999.*upgrade fortnight"):
        Store(dsn)


def test_a_user_without_rights_is_told_what_to_do(empty_dsn: str) -> None:
    with connect(empty_dsn) as connection:
        connection.execute("DROP ROLE IF EXISTS weak")
        connection.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
    with pytest.raises(StoreError, match=r"may not create the schema.*as the owner"):
        Store(make_conninfo(empty_dsn, user="weak", password="weak"))


def test_wrong_passwords_and_silent_ports_are_one_line_without_secrets(server: Server) -> None:
    if server.kind == "tcp":
        with pytest.raises(StoreError, match="password authentication failed") as error:
            connect(make_conninfo(server.dsn("postgres"), password="not-the-secret"))
        assert "not-the-secret" not in str(error.value)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1: .*refused.*FORTNIGHT_DATABASE_URL") as error:
        connect("postgresql://me:hidden@127.0.0.1:1/x")
    assert "hidden" not in str(error.value)
    with pytest.raises(StoreError, match="malformed"):
        connect("not a dsn")


def test_psql_gets_its_password_from_the_environment_only() -> None:
    arguments, environment = psql("postgresql://me:hidden@db.example:6543/power", ["-c", "SELECT 1"])
    assert "hidden" not in " ".join(arguments)
    assert environment["PGPASSWORD"] == "hidden"
    assert (environment["PGHOST"], environment["PGPORT"], environment["PGDATABASE"]) == ("db.example", "6543", "power")
    assert "hidden" not in describe("postgresql://me:hidden@db.example:6543/power")


def test_sessions_are_in_utc(store: Store) -> None:
    assert store.connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_public_sees_nothing(store: Store) -> None:
    rows = store.connection.execute(
        """
        SELECT nspname FROM pg_namespace
        WHERE nspname IN ('fortnight', 'published') AND has_schema_privilege('public', oid, 'USAGE')
        """
    ).fetchall()
    assert rows == []
