"""The PostgreSQL that comes along: where it can live, and that it survives what machines do to it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forecasting.errors import StoreError
from forecasting.store import Store, embedded
from forecasting.store.database import connect


def test_it_starts_stops_and_keeps_its_data(folder: Path) -> None:
    dsn = embedded.ensure_running(folder)
    with connect(dsn) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    assert embedded.ensure_running(folder) == dsn
    assert embedded.stop(folder)
    assert not embedded.is_running(folder)
    assert not embedded.stop(folder)
    with connect(embedded.ensure_running(folder)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_two_first_commands_at_once_share_one_server(folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(embedded.ensure_running, [folder, folder])
    assert first == second
    with Store(first):
        pass


def test_a_killed_server_comes_back_with_its_data(folder: Path) -> None:
    with connect(embedded.ensure_running(folder)) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    pid = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    with connect(embedded.ensure_running(folder)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_an_interrupted_first_start_is_begun_anew(folder: Path) -> None:
    draft = folder / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("half")
    with connect(embedded.ensure_running(folder)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_space_in_the_path_is_no_obstacle(folder: Path) -> None:
    home = folder / "with space"
    with connect(embedded.ensure_running(home)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert embedded.stop(home)


def test_only_its_folder_lets_one_in(folder: Path) -> None:
    dsn = embedded.ensure_running(folder)
    assert (folder / "postgres").stat().st_mode & 0o077 == 0
    with connect(dsn) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_path_too_long_for_a_socket_is_refused(folder: Path) -> None:
    with pytest.raises(StoreError, match=r"bytes too long for a socket; set FORTNIGHT_HOME to a folder with a shorter path"):
        embedded.ensure_running(folder / ("x" * 100))
    assert list(folder.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "home").write_text("not a folder")
    with pytest.raises(StoreError, match=r"Postgres cannot live in .*home.*; set FORTNIGHT_HOME"):
        embedded.ensure_running(folder / "home")


def test_a_folder_that_holds_something_else_is_left_alone(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "thesis.txt").write_text("precious")
    with pytest.raises(StoreError, match="holds something else than a Postgres database; move it away"):
        embedded.ensure_running(folder)
    assert (folder / "postgres" / "thesis.txt").read_text() == "precious"


def test_a_file_in_the_place_of_the_data_is_left_alone(folder: Path) -> None:
    (folder / "postgres").write_text("precious")
    with pytest.raises(StoreError, match="holds something else than a Postgres database; move it away"):
        embedded.ensure_running(folder)


def test_another_versions_data_are_refused(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StoreError, match="made by PostgreSQL 9"):
        embedded.ensure_running(folder)
