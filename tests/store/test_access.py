"""What readers and writers may and may not do, over TCP with passwords, on the distribution's PostgreSQL and the embedded one."""

import multiprocessing
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from forecasting.errors import StoreError
from forecasting.jobs.daily import daily
from forecasting.service import choose_series, open_service
from forecasting.settings import load_settings
from forecasting.store import Store, embedded
from forecasting.store.database import Connection, connect
from tests.conftest import need
from tests.servers import find_postgres_binaries, run_tcp_server
from tests.store.builders import START, add_version, merge, new_version, series
from tests.store.test_schema import open_and_close

DENIED, READ_ONLY, ENDED = "42501", "25006", "57P01"
OTHERWISE = {"merge into a view": "0A000", "a trusted extension": "0A000"}
"""Before rights are looked at: PostgreSQL 15 and 16 merge into no view at all, and the embedded one has no contrib."""
SECRETS = {"reader": secrets.token_urlsafe(12), "writer": secrets.token_urlsafe(12)}


@dataclass(frozen=True)
class Guarded:
    """A migrated database with two logins."""

    owner: str
    log: Path

    def login(self, name: str) -> str:
        return make_conninfo(self.owner, user=f"the_{name}", password=SECRETS[name])


@pytest.fixture(scope="module", params=["distribution", pytest.param("embedded", marks=pytest.mark.costly)])
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    binaries = find_postgres_binaries() if request.param == "distribution" else embedded.BINARIES
    need(binaries, "a PostgreSQL server, 15 or later, from the distribution")
    assert binaries is not None
    with run_tcp_server(binaries, home, password=secrets.token_urlsafe(12)) as address:
        with connect(make_conninfo(address, dbname="postgres")) as connection:
            connection.execute("CREATE DATABASE power")
        owner = make_conninfo(address, dbname="power")
        with Store(owner) as store:
            assert store.access.grant("the_reader", "reader", SECRETS["reader"])
            assert store.access.grant("the_writer", "writer", SECRETS["writer"])
            store.readings.register(series())
            add_version(store, new_version(store.readings.key(series())))
            merge(store, series(), {0: 1.0, 1: 2.0}, as_of=2)
        yield Guarded(owner, home / "server.log")
    shutil.rmtree(home)


@pytest.fixture
def reader(guarded: Guarded) -> Iterator[Connection]:
    """A reader who has lifted every limit that a session may lift."""
    with closing(connect(guarded.login("reader"))) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("SET statement_timeout = 0")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        yield connection


@pytest.fixture
def writer(guarded: Guarded) -> Iterator[Store]:
    with Store(guarded.login("writer")) as store:
        yield store


def refused(connection: Connection, command: str, *states: str) -> None:
    with pytest.raises(psycopg.Error) as error, connection.transaction() if command.startswith("LOCK") else nullcontext():
        connection.execute(command.encode())
    assert error.value.sqlstate in states, error.value


ATTEMPTS = {
    "select a base table": "SELECT * FROM fortnight.reading",
    "select from a partition's parent": "SELECT * FROM fortnight.forecast_value",
    "a join of view and base table": "SELECT * FROM published.forecast_latest JOIN fortnight.forecast_issue USING (issue_id)",
    "read the schema's version": "SELECT * FROM public.schema_version",
    "lock the migrations": "LOCK TABLE public.schema_lock",
    "insert through a view": "INSERT INTO published.series_v1 (series_id) VALUES ('x')",
    "update through a view": "UPDATE published.series_v1 SET name = 'x'",
    "delete through a view": "DELETE FROM published.series_v1",
    "update through the stable name": "UPDATE published.series SET name = 'x'",
    "merge into a view": "MERGE INTO published.series_v1 AS s USING (SELECT 1) AS x ON true WHEN MATCHED THEN DELETE",
    "truncate a table": "TRUNCATE fortnight.reading",
    "copy from a table": "COPY fortnight.reading TO STDOUT",
    "copy into a table": "COPY fortnight.reading FROM STDIN",
    "copy to a program": "COPY (SELECT 1) TO PROGRAM 'cat'",
    "copy from a program": "COPY published.series_v1 FROM PROGRAM 'echo'",
    "copy to a file": "COPY (SELECT 1) TO '/tmp/stolen'",
    "read a file": "SELECT pg_read_file('postgresql.conf')",
    "read a binary file": "SELECT pg_read_binary_file('global/pg_control')",
    "list a folder": "SELECT pg_ls_dir('.')",
    "import a file": "SELECT lo_import('/etc/hosts')",
    "export a file": "SELECT lo_export(1, '/tmp/stolen')",
    "a temporary table": "CREATE TEMP TABLE mine (n int)",
    "select into a temporary table": "SELECT 1 AS n INTO TEMP mine",
    "a table in public": "CREATE TABLE public.mine (n int)",
    "a table in published": "CREATE TABLE published.mine (n int)",
    "a view in published": "CREATE VIEW published.mine AS SELECT 1",
    "a schema": "CREATE SCHEMA mine",
    "a function": "CREATE FUNCTION published.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a trusted extension": "CREATE EXTENSION pg_trgm",
    "another schema for an extension": "ALTER EXTENSION plpgsql SET SCHEMA public",
    "drop a view": "DROP VIEW published.series",
    "replace a view": "CREATE OR REPLACE VIEW published.series AS SELECT 1",
    "comment on a view": "COMMENT ON VIEW published.series IS 'mine'",
    "lock a view exclusively": "LOCK TABLE published.series_v1 IN ACCESS EXCLUSIVE MODE",
    "lock a view for writing": "LOCK TABLE published.series_v1 IN ROW EXCLUSIVE MODE",
    "lock a base table": "LOCK TABLE fortnight.series IN ACCESS SHARE MODE",
    "select for update on a view": "SELECT * FROM published.series_v1 FOR UPDATE",
    "select for share on a view": "SELECT * FROM published.series_v1 FOR SHARE",
    "hold a series": "SELECT * FROM fortnight.series_lock FOR UPDATE",
    "make an issue ready": "SELECT fortnight.make_ready(1)",
    "make a month": "SELECT fortnight.ensure_month(now())",
    "compact": "SELECT fortnight.compact('2014-01-01', '{1}', false)",
    "end other readers": "SELECT fortnight.end_long_readers('0')",
    "settle access": "SELECT fortnight.settle_access()",
    "become the owner": "SET ROLE fortnight_owner",
    "become the writer": "SET ROLE fortnight_writer",
    "become the writer's login": "SET SESSION AUTHORIZATION the_writer",
    "more rights for oneself": "ALTER ROLE the_reader CREATEROLE",
    "another one's password": "ALTER ROLE the_writer PASSWORD 'x'",
    "a role": "CREATE ROLE mine",
    "grant oneself the owner": "GRANT fortnight_owner TO the_reader",
    "read password hashes": "SELECT * FROM pg_authid",
    "read password hashes by the view": "SELECT * FROM pg_shadow",
    "a server setting": "ALTER SYSTEM SET fsync = off",
    "a setting of the database": "ALTER DATABASE power SET statement_timeout = 0",
    "a superuser's setting": "SET session_replication_role = replica",
    "reload the configuration": "SELECT pg_reload_conf()",
    "a do block that writes": "DO $$ BEGIN INSERT INTO fortnight.series_lock VALUES ('x'); END $$",  # DO itself is allowed to all
    "a function in pg_temp": "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_reader_is_refused(reader: Connection, attempt: str) -> None:
    refused(reader, ATTEMPTS[attempt], DENIED, OTHERWISE.get(attempt, DENIED))


def test_a_grant_to_others_gives_nothing(reader: Connection, guarded: Guarded) -> None:
    reader.execute("GRANT SELECT ON published.series TO PUBLIC")  # Postgres warns, and does nothing
    with connect(guarded.owner) as owner:
        row = owner.execute(
            "SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'published'::regnamespace AND grantee = 0"
        ).fetchone()
    assert row == (0,)


def test_a_reader_may_read_no_private_table_at_all(guarded: Guarded, reader: Connection) -> None:
    with connect(guarded.owner) as owner:
        tables = owner.execute(
            """
            SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace = 'fortnight'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
            """
        ).fetchall()
        callable_ = owner.execute(
            """
            SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace = 'fortnight'::regnamespace AND has_function_privilege('the_reader', oid, 'EXECUTE')
            """
        ).fetchall()
    assert len(tables) > 20
    assert callable_ == []
    for (table,) in tables:
        refused(reader, f"SELECT * FROM {table}", DENIED)


def test_a_reader_reads_all_that_is_published(guarded: Guarded, reader: Connection) -> None:
    with connect(guarded.owner) as owner:
        views = owner.execute("SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'published'::regnamespace").fetchall()
    assert len(views) > 30
    for (view,) in views:
        reader.execute(f"SELECT * FROM {view} WHERE series_id = 'vic'".encode())
    values = reader.execute("SELECT interval_start, value FROM demand_as_of(now()) WHERE series_id = 'vic' ORDER BY 1").fetchall()
    assert [value for _, value in values] == [1.0, 2.0]
    for call in ("weather_as_of(now())", "demand_forecast_as_of(now())", "forecast_as_of(now())", "exceedance('vic', 1)"):
        assert reader.execute(f"SELECT * FROM published.{call}".encode()).fetchall() == []


def test_a_login_starts_with_limits(guarded: Guarded) -> None:
    with closing(connect(guarded.login("reader"))) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}".encode()).fetchone()
            for name in (
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "default_transaction_read_only",
            )
        }
        refused(connection, "CREATE TABLE public.mine (n int)", READ_ONLY)
    assert shown == {
        "statement_timeout": ("1min",),
        "idle_in_transaction_session_timeout": ("1min",),
        "lock_timeout": ("5s",),
        "default_transaction_read_only": ("on",),
    }
    opened: list[Connection] = []
    try:
        with pytest.raises(StoreError, match="too many connections"):
            opened.extend(connect(guarded.login("reader")) for _ in range(11))
    finally:
        for connection in opened:
            connection.close()


def test_a_reader_cannot_end_the_services_sessions(writer: Store, reader: Connection) -> None:
    row = writer.connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    refused(reader, f"SELECT pg_terminate_backend({row[0]})", DENIED)
    refused(reader, f"SELECT pg_cancel_backend({row[0]})", DENIED)


def test_long_queries_and_idle_transactions_of_readers_are_ended_by_the_service(
    guarded: Guarded, reader: Connection, writer: Store
) -> None:
    """Though the reader has lifted its time limits. Fresh sessions, idle ones and those of the service go on."""
    idle = connect(guarded.login("reader"))
    idle.execute("SET idle_in_transaction_session_timeout = 0")
    idle.execute("BEGIN")
    fresh = connect(guarded.login("reader"))
    states: list[str | None] = []

    def sleep() -> None:
        with pytest.raises(psycopg.Error) as error:
            reader.execute("SELECT pg_sleep(120)")
        states.append(error.value.sqlstate)

    sleeping = threading.Thread(target=sleep)
    sleeping.start()
    time.sleep(1.5)
    assert writer.access.end_long_readers(timedelta(minutes=1)) == []
    ended = writer.access.end_long_readers(timedelta(seconds=1))
    sleeping.join(20)
    assert states == [ENDED]
    assert [(session.login, session.ended) for session in ended] == [("the_reader", True)] * 2
    with pytest.raises(psycopg.OperationalError):
        idle.execute("SELECT 1")
    fresh.execute("SELECT 1")
    fresh.close()
    idle.close()


def test_a_reader_made_by_hand_is_reported_where_it_cannot_be_ended(guarded: Guarded, writer: Store) -> None:
    with connect(guarded.owner) as owner:
        owner.execute("CREATE ROLE by_hand LOGIN PASSWORD 'by-hand'")
        owner.execute("GRANT fortnight_reader TO by_hand")
    with closing(connect(make_conninfo(guarded.owner, user="by_hand", password="by-hand"))) as connection:
        connection.execute("BEGIN")
        told = [each for each in writer.access.end_long_readers(timedelta(0)) if each.login == "by_hand"]
        assert [(each.seconds, each.ended) for each in told] == [(None, False)]
        connection.execute("SELECT 1")


def test_what_cannot_be_forbidden_does_no_harm(guarded: Guarded, reader: Connection) -> None:
    """Advisory locks, DO and NOTIFY are everybody's: nothing waits for such a lock, and a notification is only a hint to look."""
    reader.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 1000) AS n UNION ALL SELECT pg_advisory_lock(1718579828)")
    reader.execute("DO $$ BEGIN PERFORM 1; END $$")
    reader.execute("NOTIFY forecast_ready, 'not true'")
    with connect(guarded.owner) as owner:
        owner.execute("DROP DATABASE IF EXISTS beside")
        owner.execute("CREATE DATABASE beside")
    open_and_close(make_conninfo(guarded.owner, dbname="beside"))


WRITER_ATTEMPTS = {
    "change a value": "UPDATE fortnight.forecast_value SET mean = 0",
    "drop values": "DELETE FROM fortnight.forecast_value",
    "change an issue": "UPDATE fortnight.forecast_issue SET tier = 'champion'",
    "make an issue ready without proof": "UPDATE fortnight.forecast_issue SET ready_at = now()",
    "insert a ready issue": "INSERT INTO fortnight.forecast_issue (series_key, ready_at) VALUES (1, now())",
    "drop issues": "DELETE FROM fortnight.forecast_issue",
    "change a reading's value": "UPDATE fortnight.reading SET value = 0",
    "drop a table": "DROP TABLE fortnight.reading",
    "drop a view": "DROP VIEW published.forecast_latest",
    "add a column": "ALTER TABLE fortnight.series ADD COLUMN x int",
    "disable a trigger": "ALTER TABLE fortnight.forecast_value DISABLE TRIGGER ALL",
    "a table": "CREATE TABLE fortnight.mine (n int)",
    "a table in public": "CREATE TABLE public.mine (n int)",
    "a view": "CREATE VIEW published.mine AS SELECT 1",
    "truncate": "TRUNCATE fortnight.forecast_path",
    "compact": "SELECT fortnight.compact('2014-01-01', '{1}', false)",
    "another schema version": "UPDATE public.schema_version SET version_num = '0001'",
    "become the owner": "SET ROLE fortnight_owner",
    "a role": "CREATE ROLE mine",
    "forget a promotion": "DELETE FROM fortnight.promotion",
    "let go of a held issue": "DELETE FROM fortnight.issue_hold",
    "a program": "COPY (SELECT 1) TO PROGRAM 'cat'",
}


@pytest.mark.parametrize("command", WRITER_ATTEMPTS.values(), ids=WRITER_ATTEMPTS.keys())
def test_a_writer_is_refused(writer: Store, command: str) -> None:
    refused(writer.connection, command, DENIED)


def test_a_writer_reads_and_does_the_days_work(writer: Store) -> None:
    """What ingest does, out of turn too; what retrain, publish and watch write is tried wherever they are tested as a writer."""
    writer.readings.register(series())
    assert merge(writer, series(), {2: 3.0}, as_of=9, rejected=[("bad", {"value": "x"})]).new == 1
    assert merge(writer, series(), {0: 5.0, 2: 4.0}, as_of=6).corrected == 1
    merge(writer, series(), {0: 1.5, 9: 1.0}, as_of=12)
    with writer.hold("vic"):
        pass
    key = writer.readings.key(series())
    version = add_version(writer, new_version(key, 2))
    writer.versions.settle_alias(version)
    writer.backfills.note("vic", START, START + timedelta(days=1), START)
    writer.backfills.forget("vic", START, START + timedelta(days=1))
    with writer.transaction():
        writer.connection.execute("SELECT fortnight.ensure_month(%s)", (START,))
        refused(writer.connection, "SELECT fortnight.make_ready(12345)", "P0002")


def test_a_writer_does_whole_days_and_a_reader_sees_them(guarded: Guarded, home: Path) -> None:
    """Ingest, retrain, publish and watch, twice, with rights to no more than they need."""
    settings = load_settings(
        home=home,
        database_url=guarded.login("writer"),
        training={"epochs": 2},
        model={"candidates": ("weekly_naive", "two_stage_ridge")},
        ingest={"history_days": 200},
        git_sha="0" * 40,
    )
    given = choose_series(settings, source="simulated")[0]
    with open_service(settings, datetime(2024, 3, 3, tzinfo=UTC)) as service:
        for day in (1, 2):
            daily(service, given, datetime(2024, 3, day, tzinfo=UTC))
    with closing(connect(guarded.login("reader"))) as connection:
        query = "SELECT lead, tier, model_version IS NOT NULL FROM forecast_latest WHERE series_id = 'simulated' ORDER BY lead"
        assert connection.execute(query).fetchall() == [(lead, "champion", True) for lead in range(1, 15)]


def test_only_the_owner_compacts(writer: Store) -> None:
    writer.connection.execute("SELECT fortnight.ensure_month(%s)", (START,))
    with pytest.raises(StoreError, match=r"login the_writer may not drop forecasts; compact as a member of fortnight_owner"):
        list(writer.retention.compact(START + timedelta(days=60), (1,), dry_run=True))


def test_a_reader_cannot_run_the_service(guarded: Guarded) -> None:
    with pytest.raises(StoreError, match=r"login the_reader may not run the service; use a login of role writer"):
        Store(guarded.login("reader"))


def test_a_login_changes_its_role_and_password_and_goes(guarded: Guarded) -> None:
    dsn = make_conninfo(guarded.owner, user="changing", password="first")
    with Store(guarded.owner) as store:
        assert store.access.grant("changing", "writer", "first")
        Store(dsn).connection.close()
        assert not store.access.grant("changing", "reader", "second")
        with pytest.raises(StoreError, match="password authentication failed"):
            connect(dsn)
        with closing(connect(make_conninfo(dsn, password="second"))) as reader:
            refused(reader, "SELECT * FROM fortnight.reading", DENIED)
            assert store.access.revoke("changing")
            with pytest.raises(psycopg.OperationalError):
                reader.execute("SELECT 1")
        with pytest.raises(StoreError, match=r"password authentication failed|does not exist"):
            connect(make_conninfo(dsn, password="second"))
        with pytest.raises(StoreError, match="there is no login 'changing'"):
            store.access.revoke("changing")


def test_a_password_never_stands_in_the_servers_log(guarded: Guarded) -> None:
    with Store(guarded.owner) as store:
        store.access.grant("logged", "reader", "do-not-log-me")
        with pytest.raises(psycopg.Error):
            store.connection.execute("ALTER ROLE logged PASSWORD 'do-log-me' SUPERUSER")  # what an error would log
        store.access.revoke("logged")
    log = guarded.log.read_text()
    assert "do-log-me" in log
    assert "do-not-log-me" not in log


@pytest.mark.parametrize("name", ["postgres", "migrator", "fortnight_owner", "pg_monitor", "Robert'); DROP", "", "x" * 64])
def test_roles_of_others_are_left_alone(guarded: Guarded, name: str) -> None:
    with Store(guarded.owner) as store:
        with pytest.raises(StoreError, match=r"cannot be named|is not fortnight's"):
            store.access.grant(name, "reader", "x")
        with pytest.raises(StoreError, match=r"is not fortnight's|there is no login"):
            store.access.revoke(name)


def test_a_writer_cannot_make_logins(writer: Store) -> None:
    with pytest.raises(StoreError, match=r"may not manage logins.*CREATEROLE"):
        writer.access.grant("another", "reader", "x")


def test_several_databases_of_a_cluster_are_migrated_at_once(guarded: Guarded) -> None:
    names = [f"at_once_{n}" for n in range(2)]
    with connect(guarded.owner) as owner:
        for name in names:
            owner.execute(f"CREATE DATABASE {name}".encode())
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(open_and_close, [make_conninfo(guarded.owner, dbname=name) for name in names]))


def test_without_the_right_to_make_roles_the_remedy_is_told(guarded: Guarded) -> None:
    """The roles are there already in this cluster: being no member of the owner is what is missing."""
    with connect(guarded.owner) as owner:
        owner.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        owner.execute("GRANT plain TO migrator")
        owner.execute("CREATE DATABASE plain OWNER plain")
    with pytest.raises(StoreError, match=r"no member of fortnight_owner.*GRANT fortnight_owner, .* TO plain WITH ADMIN OPTION"):
        Store(make_conninfo(guarded.owner, user="plain", password="plain", dbname="plain"))
