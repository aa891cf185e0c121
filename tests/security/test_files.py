"""Files that somebody lays out for us: without an end, elsewhere than they seem, larger than they look."""

import gzip
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from forecasting.errors import SourceError
from forecasting.jobs.deliver import own_picture
from forecasting.sources.csv import CsvSource
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

SINCE, UNTIL = utc("2014-01-01 00:00"), utc("2034-01-01 00:00")
HEADER = b"interval_start,demand_mwh\n"
GOOD = HEADER + b"2014-01-01T00:00Z,1.5\n"


def read(path: object) -> pd.DataFrame:
    batches = list(CsvSource(Web(), path=str(path)).read(make_series(), SINCE, UNTIL))
    return pd.concat([batch.readings for batch in batches], ignore_index=True)


def refusal(path: object) -> str:
    """What is said, at once."""
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        read(path)
    assert time.monotonic() - started < 5
    return str(caught.value)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/random", "/dev/null", "/dev/tty", "/dev/stdin"])
def test_a_device_is_no_table(device: str, tmp_path: Path) -> None:
    told = refusal(device)
    assert "is no regular file" in told or "not a readable CSV file" in told
    (tmp_path / "data.csv").symlink_to(device)
    assert "no regular file" in refusal(tmp_path / "data.csv") or "not a readable" in refusal(tmp_path / "data.csv")


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.csv")
    assert "is no regular file" in refusal(tmp_path / "data.csv")
    assert "is no regular file" in refusal(tmp_path)
    assert "is no regular file" in refusal(tmp_path / "*.csv")


def test_a_socket_is_no_table(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind(str(tmp_path / "s.csv"))
        assert stat.S_ISSOCK((tmp_path / "s.csv").stat().st_mode)
        assert "not a readable CSV file" in refusal(tmp_path / "s.csv")


@pytest.mark.parametrize("asked", ["", "/*.csv", "/d*.csv", "/../drop/*.csv"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, asked: str) -> None:
    drop, secret = tmp_path / "drop", tmp_path / "secret"
    drop.mkdir()
    secret.write_text("password,hunter2\n")
    (drop / "data.csv").symlink_to(secret)
    told = refusal(f"{drop}{asked}")
    assert "leads out of" in told
    assert "hunter2" not in told


def test_links_within_the_folder_and_a_link_that_is_named_are_followed(tmp_path: Path) -> None:
    """As Kubernetes lays out what it mounts."""
    (tmp_path / "..2024").mkdir()
    (tmp_path / "..2024" / "data.csv").write_bytes(GOOD)
    (tmp_path / "data.csv").symlink_to("..2024/data.csv")
    assert read(tmp_path)["value"].tolist() == [1.5]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "named.csv").symlink_to(tmp_path / "data.csv")
    assert read(tmp_path / "elsewhere" / "named.csv")["value"].tolist() == [1.5]


def test_a_loop_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to(tmp_path / "b.csv")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    assert "a.csv" in refusal(tmp_path / "a.csv")
    assert "a.csv" in refusal(tmp_path)


def rows(number: int) -> Iterator[bytes]:
    yield HEADER
    for _ in range(number):
        yield b"2014-01-01T00:00Z,1\n" * 50_000


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(lambda: rows(10), id="rows"),
        pytest.param(lambda: [HEADER, b"2014-01-01T00:00Z," + b"1" * 2**23], id="one endless row"),
        pytest.param(lambda: [HEADER, b'2014-01-01T00:00Z,"' + b"\n" * 2**23], id="one endless quotation"),
        pytest.param(lambda: [b"\n" * 2**23], id="empty lines before a header"),
        pytest.param(lambda: [b"a" * 2**23], id="a header without an end"),
        pytest.param(lambda: [HEADER, b"\n" * 2**23], id="empty lines"),
    ],
)
def test_a_small_file_that_unpacks_to_a_large_one_has_an_end(
    tmp_path: Path, pieces: "object", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecasting.sources.tables.LARGEST_TABLE_BYTES", 2**22)
    path = tmp_path / "bomb.csv.gz"
    assert callable(pieces)
    with gzip.open(path, "wb", compresslevel=1) as file:
        for piece in pieces():
            file.write(piece)
    assert path.stat().st_size < 2**20
    told = refusal(path)
    assert "unpacks to more than" in told or "is no header" in told or "not a readable CSV file" in told


def test_only_pictures_of_ours_are_sent(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (tmp_path / "fortnight.toml").write_text("secret")
    (pictures / "link.png").symlink_to(tmp_path / "fortnight.toml")
    (pictures / "vic.png").touch()
    (pictures / "loop.png").symlink_to(pictures / "loop.png")
    good = str(pictures / "vic.png")
    assert own_picture(tmp_path, good) == good
    for bad in (
        "/etc/passwd",
        f"{pictures}/../fortnight.toml",
        str(pictures / "link.png"),
        str(pictures / "loop.png"),
        "https://evil.example/x.png",
        "",
        None,
    ):
        assert own_picture(tmp_path, bad) is None
