"""Logins, kept forecasts and compaction, from the command line."""

from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from forecasting.store import Store, embedded
from forecasting.store.database import connect
from tests.journey.commands import fortnight, refused
from tests.store.contract_world import build


@pytest.fixture
def filled(folder: Path) -> Path:
    dsn = embedded.ensure_running(folder)
    with Store(dsn) as store:
        build(store, dsn)
    return folder


def test_a_login_is_made_changed_and_dropped(folder: Path) -> None:
    done = fortnight(folder, "access", "ann", FORTNIGHT_NEW_PASSWORD="of-no-use-to-others")
    assert done.stdout.startswith("login ann: made, role reader\nthe embedded Postgres listens on no port"), done.stderr
    refused(fortnight(folder, "access", "bob", FORTNIGHT_NEW_PASSWORD="short"), "a password of 5 characters is too short")
    refused(fortnight(folder, "access", "bob"), "there is no terminal to ask for a password", "FORTNIGHT_NEW_PASSWORD")
    dsn = make_conninfo(embedded.ensure_running(folder), user="ann")
    with connect(dsn) as connection:
        assert connection.execute("SELECT * FROM forecast_latest").fetchall() == []
    changed = fortnight(folder, "access", "ann", "--role", "writer", FORTNIGHT_NEW_PASSWORD="another-of-no-use")
    assert changed.stdout.startswith("login ann: changed, role writer\n")
    assert fortnight(folder, "access", "ann", "--revoke").stdout.strip() == "login ann: dropped"
    taken = fortnight(folder, "access", "postgres", FORTNIGHT_NEW_PASSWORD="of-no-use-to-others")
    refused(taken, "is not fortnight's; choose another name")
    assert "of-no-use" not in (folder / "postgres" / "server.log").read_text()


def test_old_forecasts_are_kept_or_compacted(filled: Path) -> None:
    assert fortnight(filled, "keep", "3", "--reason", "for the regulator").stdout.strip() == "issue 3 is kept"
    refused(fortnight(filled, "keep", "999", "--reason", "x"), "there is no issue 999")
    refused(fortnight(filled, "compact", "--before", "2015-01-01", "--leads", "one"), "leads 'one' are no numbers")
    dry = fortnight(filled, "compact", "--before", "2015-01-01", "--dry-run")
    assert "would drop" in dry.stdout, dry.stderr
    done = fortnight(filled, "compact", "--before", "2015-01-01", "--leads", "1,2")
    assert "every issue keeps leads 1, 2" in done.stdout, done.stderr
    assert "kept whole, held: 1" in done.stdout
    again = fortnight(filled, "compact", "--before", "2015-01-01", "--leads", "1,2")
    assert "dropped 0" in again.stdout
