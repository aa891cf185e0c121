"""What a query on another Postgres may not do or be, against real servers."""

import logging
import traceback
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo
from pydantic import ValidationError

from forecasting.errors import SettingsError, SourceError
from forecasting.sources.sql import SqlSource
from forecasting.sources.web import Web
from forecasting.store.database import connect
from tests.conftest import Server
from tests.store.builders import START, at, series
from tests.store.meter import METER, QUERY, Ask, asking, values

pytestmark = pytest.mark.one_server


@pytest.fixture
def ask(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    return asking(empty_dsn, monkeypatch)


@pytest.mark.parametrize("kind", ["text", "money", "boolean", "jsonb", "interval"])
def test_what_is_no_number_is_refused(ask: Ask, kind: str) -> None:
    query = f"SELECT time, NULL::{kind} AS load FROM meter WHERE time BETWEEN %(since)s AND %(until)s"
    with pytest.raises(SourceError, match=r"column load of the query on database .* is \w+, not a number; cast it"):
        ask(query)


def test_a_time_without_a_zone_is_refused_with_the_remedy(ask: Ask) -> None:
    with pytest.raises(SourceError, match=r"column time .* is a timestamp without time zone; .*time AT TIME ZONE 'UTC'"):
        ask(QUERY.replace("time, load", "time AT TIME ZONE 'UTC' AS time, load"))
    with pytest.raises(SourceError, match=r"column known .* without time zone"):
        ask(QUERY.replace("load FROM", "load, localtimestamp AS known FROM"), setup="")
    with pytest.raises(SourceError, match=r"column day .* is date, not timestamptz"):
        ask(QUERY.replace("time, load", "time::date AS day, load"), setup="")


@pytest.mark.parametrize(("columns", "names"), [("time", "time"), ("time, load, time, load", "time, load, time, load")])
def test_other_numbers_of_columns_are_refused(ask: Ask, columns: str, names: str) -> None:
    with pytest.raises(
        SourceError, match=rf"gives {names.count(',') + 1} columns \({names}\); let it give interval_start, value and"
    ):
        ask(QUERY.replace("time, load", columns))


@pytest.fixture
def reader(empty_dsn: str) -> str:
    """The DSN of a user who may read one table and nothing else."""
    with connect(empty_dsn) as connection:
        connection.execute("DROP ROLE IF EXISTS meter_reader")
        connection.execute("CREATE ROLE meter_reader LOGIN PASSWORD 'let-me-read'")
        connection.execute(METER)
        connection.execute("CREATE TABLE secret (time timestamptz, load float8)")
        connection.execute("GRANT SELECT ON meter TO meter_reader")
    return make_conninfo(empty_dsn, user="meter_reader", password="let-me-read")


def test_the_right_to_select_is_enough(reader: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_DSN", reader)
    assert values(ask(setup="", until=at(2))) == {0: 1000, 1: 1001}
    with pytest.raises(
        SourceError, match=r"permission denied for table secret; the query may only read, and its user needs SELECT"
    ):
        ask(QUERY.replace("meter", "secret"), setup="")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM meter WHERE time BETWEEN %(since)s AND %(until)s RETURNING time, load",
        "WITH gone AS (DELETE FROM meter RETURNING *) SELECT * FROM gone WHERE time BETWEEN %(since)s AND %(until)s",
        "SELECT time, load + empty() FROM meter WHERE time BETWEEN %(since)s AND %(until)s",
        "SELECT time, load + empty_anyway() FROM meter WHERE time BETWEEN %(since)s AND %(until)s",
        QUERY + "; DELETE FROM meter",
        QUERY + "; COMMIT; DELETE FROM meter",
    ],
)
def test_a_query_cannot_write(ask: Ask, empty_dsn: str, query: str) -> None:
    functions = """
        CREATE FUNCTION empty() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM meter; SELECT 1';
        CREATE FUNCTION empty_anyway() RETURNS int LANGUAGE plpgsql VOLATILE AS $$
        BEGIN PERFORM set_config('transaction_read_only', 'off', true); DELETE FROM meter; RETURN 1; END $$
    """
    with pytest.raises(SourceError, match=r"database .*; (the query may only read|correct the query)"):
        ask(query, METER + ";" + functions)
    with connect(empty_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM meter").fetchone() == (110,)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (QUERY.replace("meter", "meters"), 'relation "meters" does not exist'),
        (QUERY.replace("load", "lod"), 'column "lod" does not exist'),
        (QUERY.replace("SELECT", "SELEKT"), "syntax error"),
        (QUERY.replace("load", "load / 0"), "division by zero"),
        (QUERY + " LIMIT %(limit)s", "limit"),
        (QUERY.replace("load", "load % 7"), "percent sign is written %%"),
    ],
)
def test_a_wrong_query_is_told_in_one_line(ask: Ask, query: str, words: str) -> None:
    with pytest.raises(SourceError) as error:
        ask(query)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_query_that_takes_too_long_is_stopped(ask: Ask) -> None:
    with pytest.raises(SourceError, match=r"the query took too long; ask for less, add an index, or raise the source's timeout_s"):
        ask(QUERY.replace("FROM meter", "FROM meter, pg_sleep(30)"), timeout_s=0.2)


def test_a_server_that_is_not_there_is_told_without_secrets(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("METER_DSN", "postgresql://me:hidden@127.0.0.1:1/power")
    source = SqlSource(Web(), dsn_env="METER_DSN", query=QUERY)
    with pytest.raises(SourceError, match=r"database 'power' at 127\.0\.0\.1:1: .*refused") as error:
        list(source.read(series(), START, at(1)))
    assert "hidden" not in str(error.value)
    if server.kind == "tcp":
        monkeypatch.setenv("METER_DSN", make_conninfo(server.dsn("postgres"), user="somebody", password="not-the-secret"))
        with pytest.raises(SourceError, match=r'password authentication failed for user "\*\*\*"; check the DSN') as error:
            list(source.read(series(), START, at(1)))
        assert not any(secret in str(error.value) for secret in ("somebody", "not-the-secret"))
        shown = "".join(traceback.format_exception(error.value))
        assert "somebody" not in shown


def test_a_dsn_that_is_missing_or_malformed_is_named_by_its_variable_only(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SqlSource(Web(), dsn_env="METER_DSN", query=QUERY)
    monkeypatch.delenv("METER_DSN", raising=False)
    with pytest.raises(SettingsError, match="series vic: environment variable METER_DSN is not set; set it to the DSN"):
        list(source.read(series(), START, at(1)))
    monkeypatch.setenv("METER_DSN", "hidden or not hidden")
    with pytest.raises(SourceError, match="the DSN of the SQL source is malformed") as error:
        list(source.read(series(), START, at(1)))
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": "SELECT 1"}, "stretch of time"),
        ({"dsn_env": "postgresql://me:hidden@x/y"}, "dsn_env"),
        ({"unit": "MJ"}, "unit"),
        ({"scale": 0}, "scale"),
        ({"marks": "middle"}, "marks"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"table": "meter"}, "table"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SqlSource(Web(), **{"dsn_env": "METER_DSN", "query": QUERY, **options})


def test_nothing_is_logged_of_the_dsn(ask: Ask, empty_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ask()
    assert empty_dsn not in caplog.text
