"""Malformed tables: none does harm, none is slow, no row is lost, and no table fills the memory."""

import gzip
import json
import os
import random
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.calendar import grid_anchor
from forecasting.domain import Quantity
from forecasting.frames import Batch, readings_frame
from forecasting.quality import Inspector
from forecasting.sources import tables
from forecasting.sources.csv import CsvSource
from forecasting.sources.web import Web
from tests.feeds.fuzzing import INPUTS, check_batch, fuzz
from tests.unit.builders import make_series, utc

ZONE = "Australia/Melbourne"
SERIES = make_series()
SINCE, NOW = utc("2014-04-04 00:00"), utc("2014-05-01 00:00")
NOTHING = readings_frame(pd.DatetimeIndex([], tz="UTC"), np.empty(0))
POISON = [
    b"nan", b"1e400", b"-1e308", b"inf", b"2014-02-30", b"0000-01-01T00:00", b"9999-12-31T23:59", b'"', b'""', b'","',
    b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n\n", b"9" * 5000, b"now",
    b"<html>", b"\x1f", b"+24:00", b"1_0",
]  # fmt: skip


def good_tables() -> list[bytes]:
    """Every way to write times, around a change of clocks, plain and gzipped."""
    starts = pd.date_range("2014-04-05 13:00", periods=12, freq="30min", tz="UTC")
    header = "interval_start,demand_mwh,temperature_c,holiday,seen\n"
    ways = [starts.strftime("%Y-%m-%dT%H:%MZ"), starts.tz_convert(ZONE).strftime("%Y-%m-%d %H:%M")]
    ways += [starts.tz_convert(ZONE).strftime("%Y-%m-%dT%H:%M:%S%z")]
    texts = [
        header + "".join(f"{time},{2000 + n}.5,{n},{n % 2},2014-04-07T00:00Z\n" for n, time in enumerate(times)) for times in ways
    ]
    quoted = "".join('"' + line.replace(",", '","') + '"\r\n' for line in texts[1].splitlines())
    backward = header + "".join(line + "\n" for line in reversed(texts[1].splitlines()[1:]))
    plain = [text.encode() for text in (*texts, quoted, backward, "\ufeff" + texts[0])]
    return [*plain, gzip.compress(plain[0], mtime=0), gzip.compress(plain[3], mtime=0)]


def read(path: Path, since: datetime = SINCE, **options: object) -> list[Batch]:
    return list(CsvSource(Web(), path=str(path), **options).read(SERIES, since, NOW))


def check_readings(batch: Batch, since: datetime = SINCE) -> None:
    check_batch(batch)
    assert (batch.readings["interval_start"] >= since).all()
    assert batch.readings["interval_start"].dtype == "datetime64[us, UTC]"
    if "known_at" in batch.readings:
        assert batch.readings["known_at"].notna().all()


def check_believed(batches: list[Batch]) -> None:
    """Whatever a table says, nothing that cannot be gets past the inspector."""
    anchor = grid_anchor(SERIES.zone, SERIES.interval)
    for quantity in {batch.quantity for batch in batches}:
        inspector = Inspector(SERIES.companion(quantity), None, NOTHING, SINCE, NOW, NOW)
        passed = [inspector.inspect(batch).readings for batch in batches if batch.quantity is quantity]
        believed = pd.concat([*passed, inspector.finish().readings])
        assert np.isfinite(believed["value"]).all()
        assert ((believed["interval_start"] - anchor) % SERIES.interval == pd.Timedelta(0)).all()
        assert (believed["interval_start"] + SERIES.interval <= NOW).all()


@pytest.mark.timeout(120)
def test_malformed_tables_do_no_harm(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fuzz.csv"
    options: list[dict[str, object]] = [
        {"time_zone": ZONE},
        {"time_zone": ZONE, "known_at": "seen", "marks": "end", "unit": "GWh"},
        {"time_zone": ZONE, "time_format": "%Y-%m-%d %H:%M"},
        {"time_format": "%Y-%m-%dT%H:%M:%S%z"},
    ]
    turn = 0

    def look(body: bytes) -> None:
        nonlocal turn
        turn += 1
        path.write_bytes(body)
        batches = read(path, **options[turn % len(options)])
        for batch in batches:
            check_readings(batch)
        if turn % 4 == 0:
            check_believed(batches)

    fuzz(good_tables(), look, b',"\n\r-:. +', POISON, INPUTS)
    assert capfd.readouterr() == ("", "")


times = st.sampled_from(
    [
        "2014-04-06 02:30",
        "2014-04-06 02:00",
        "2014-10-05 02:30",
        "2014-04-06 03:00",
        "2014-04-05T12:00Z",
        "2014-02-30 00:00",
        "x",
        "",
    ]
)
values = st.sampled_from(["1", "-1.5", "1e400", "nan", "", "x", '"1"', '"1,5"', '"a\nb"'])
seen = st.sampled_from(["2014-04-07 00:00", "2014-04-06 02:30", "soon", ""])
lines = st.one_of(st.builds("{},{},{}".format, times, values, seen), st.sampled_from(["x,y", "a,b,c,d", ",,", ",,,", '"', "z"]))


@given(
    rows=st.lists(lines.filter(lambda row: row != '"'), max_size=25), chunk=st.sampled_from([25, 3]), block=st.integers(150, 500)
)
@settings(max_examples=300, deadline=None)
def test_every_row_is_a_reading_or_a_rejection(
    rows: list[str], chunk: int, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Asked for all of time, whatever the rows, and wherever the borders of chunks and blocks lie."""
    path = tmp_path_factory.getbasetemp() / "balance.csv"
    path.write_text("\n".join(["interval_start,demand_mwh,seen", *rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "BLOCK_BYTES", block)
        if not any(rows[at : at + chunk] and all(row.count(",") != 2 for row in rows[at : at + chunk]) for at in range(len(rows))):
            patch.setattr(tables, "CHUNK_ROWS", chunk)
        batches = read(path, utc("1900-01-01 00:00"), time_zone=ZONE, known_at="seen")
    assert sum(batch.rows for batch in batches) == len(rows)
    for batch in batches:
        check_batch(batch)
        assert all(batch.rejected["reason"].str.len() > 0)


@given(days=st.lists(st.integers(1, 28), max_size=20), since=st.integers(1, 28))
@settings(max_examples=100, deadline=None)
def test_only_what_lies_before_the_window_is_passed_over(
    days: list[int], since: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "window.csv"
    path.write_text("\n".join(["interval_start,demand_mwh", *(f"2014-03-{day:02}T00:00Z,{'x' * (day % 2)}1" for day in days)]))
    batches = read(path, utc(f"2014-03-{since:02} 00:00"))
    kept = [day for day in days if day >= since]
    assert sum(len(batch.readings) for batch in batches) == sum(day % 2 == 0 for day in kept)
    assert sum(len(batch.rejected) for batch in batches) == sum(day % 2 for day in kept)


def test_endless_cells_are_not_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(f"interval_start,demand_mwh\n2014-04-05T00:00Z,{'9' * 100_000}x\n{'1,' * 50_000}\n")
    found = pd.concat([batch.rejected for batch in read(path)])
    assert len(found) == 2
    assert all(len(cell) <= 1000 for raw in found["raw"] for cell in json.loads(raw).values())


PEAK = """
import sys
from pathlib import Path
from forecasting.sources.csv import CsvSource
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc
source = CsvSource(Web(), path=sys.argv[1], time_zone="Etc/UTC")
batches = source.read(make_series(), utc("1990-01-01 00:00"), utc("2040-01-01 00:00"))
rows = sum(batch.rows for batch in batches)
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(rows, int(peak.split()[1]) // 1024)
"""


def peak_mib(path: Path, rows: int, day_of_bad_rows: int) -> int:
    """Of a process that reads `rows` rows, the bad ones among them too."""
    day = [f"2014-01-01 {n // 60:02}:{n % 60:02},{2000 + n}.5\n" for n in range(1000)]
    day[:day_of_bad_rows] = ["2014-01-01 00:00\n"] * day_of_bad_rows
    with path.open("w") as file:
        file.write("interval_start,demand_mwh\n")
        for _ in range(rows // 1000):
            file.writelines(day)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    checkout = Path(__file__).resolve().parents[2]
    told = subprocess.run(
        [sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True, cwd=checkout, env=environment, timeout=120
    )
    assert told.stderr == ""
    found, peak = map(int, told.stdout.split())
    assert found == rows
    return peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is told by Linux only")
@pytest.mark.parametrize("bad", [0, 20])
def test_memory_does_not_grow_with_the_table(bad: int, tmp_path: Path) -> None:
    small, large = (peak_mib(tmp_path / f"{rows}.csv", rows, bad) for rows in (200_000, 2_000_000))
    print(f"peak memory: {small} MiB for 200,000 rows, {large} MiB for 2,000,000")  # noqa: T201
    assert large - small < 40


def test_no_two_tables_of_the_same_rows_differ(tmp_path: Path) -> None:
    """Wherever chunks and blocks end, the readings are the same."""
    chance = random.Random(7)  # noqa: S311 - no secret
    starts = pd.date_range("2014-04-05", periods=400, freq="30min", tz="UTC").tz_convert(ZONE).strftime("%Y-%m-%d %H:%M")
    path = tmp_path / "a.csv"
    path.write_text("interval_start,demand_mwh\n" + "".join(f"{time},{number}\n" for number, time in enumerate(starts)))
    found = []
    for _ in range(20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "BLOCK_BYTES", chance.randint(200, 3000))
            patch.setattr(tables, "CHUNK_ROWS", chance.randint(1, 100))
            frames = [batch.readings for batch in read(path, time_zone=ZONE) if batch.quantity is Quantity.DEMAND]
        found.append(pd.concat(frames).sort_values("interval_start", ignore_index=True))
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other)
    assert found[0]["value"].tolist() == list(range(400))
