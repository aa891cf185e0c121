import csv
import gzip
import io
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from forecasting.domain import Quantity
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.sources import open_source
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

SERIES = make_series()
SINCE, UNTIL = utc("2014-01-01 00:00"), utc("2014-01-03 00:00")
HEADER = "interval_start,demand_mwh\n"
FULL_HEADER = "interval_start,demand_mwh,temperature_c,holiday\n"
Read = dict[Quantity, Batch]
NOTHING = Batch(Quantity.DEMAND, readings_frame(pd.DatetimeIndex([], tz="UTC"), np.empty(0)), rejected_frame())


def read_file(path: Path, since: datetime = SINCE, until: datetime = UNTIL, **options: str) -> Read:
    source = open_source("csv", SERIES.series_id, {"path": str(path), **options}, Web())
    found = {Quantity.DEMAND: Batch(Quantity.DEMAND, NOTHING.readings, NOTHING.rejected)}
    for batch in source.read(SERIES, since, until):
        before = found.get(batch.quantity, NOTHING)
        parts = [pd.concat([old, new], ignore_index=True) for old, new in zip(_frames(before), _frames(batch), strict=True)]
        found[batch.quantity] = Batch(batch.quantity, *parts)
    return found


def _frames(batch: Batch) -> tuple[pd.DataFrame, pd.DataFrame]:
    return batch.readings, batch.rejected


def read(content: str | bytes, folder: Path, name: str = "demand.csv", **options: str) -> Read:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(path, **options)


def readings(found: Read, quantity: Quantity = Quantity.DEMAND) -> list[tuple[str, float]]:
    frame = found[quantity].readings
    return list(zip(frame["interval_start"].dt.strftime("%F %R"), frame["value"], strict=True))


def rejected(found: Read, quantity: Quantity = Quantity.DEMAND) -> list[tuple[str, dict[str, str]]]:
    frame = found[quantity].rejected
    return [(reason, json.loads(raw)) for reason, raw in zip(frame["reason"], frame["raw"], strict=True)]


def test_a_plain_file(tmp_path: Path) -> None:
    found = read(HEADER + "2014-01-01T11:00+11:00,2100.5\n2014-01-01T00:30Z,2200\n", tmp_path)
    assert readings(found) == [("2014-01-01 00:00", 2100.5), ("2014-01-01 00:30", 2200.0)]
    assert rejected(found) == []
    assert set(found) == {Quantity.DEMAND}  # optional columns may be absent


def test_all_columns(tmp_path: Path) -> None:
    found = read(FULL_HEADER + "2014-01-01T00:00Z,2100,-3.5,True\n2014-01-01T00:30Z,2200,4,0\n", tmp_path)
    assert readings(found, Quantity.TEMPERATURE) == [("2014-01-01 00:00", -3.5), ("2014-01-01 00:30", 4.0)]
    assert readings(found, Quantity.HOLIDAY) == [("2014-01-01 00:00", 1.0), ("2014-01-01 00:30", 0.0)]


def test_columns_may_have_other_names_and_others_are_passed_over(tmp_path: Path) -> None:
    content = "RRP,when,load,RRP\n1,2014-01-01T00:00Z,2100,2\n"
    assert readings(read(content, tmp_path, time="when", demand="load")) == [("2014-01-01 00:00", 2100.0)]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + HEADER + "2014-01-01T00:00Z,2100\n",
        HEADER + "2014-01-01T00:00Z,2100",
        HEADER.replace("\n", "\r\n") + "2014-01-01T00:00Z,2100\r\n",
        '"interval_start","demand_mwh"\n"2014-01-01T00:00Z","2100"\n',
        " interval_start , demand_mwh \n2014-01-01T00:00Z,2100\n",
        HEADER + "\n2014-01-01 00:00:00+00:00,2.1e3\n\n",
    ],
    ids=["byte order mark", "no last newline", "windows newlines", "quoted", "padded header", "blank lines"],
)
def test_ways_to_write_the_same(content: str, tmp_path: Path) -> None:
    found = read(content, tmp_path)
    assert readings(found) == [("2014-01-01 00:00", 2100.0)]
    assert rejected(found) == []


def test_a_gzipped_file(tmp_path: Path) -> None:
    content = gzip.compress((HEADER + "2014-01-01T00:00Z,2100\n").encode())
    assert readings(read(content, tmp_path, "demand.csv.gz")) == [("2014-01-01 00:00", 2100.0)]


def test_rows_may_be_out_of_order(tmp_path: Path) -> None:
    found = read(HEADER + "2014-01-01T01:00Z,3\n2014-01-01T00:00Z,1\n2014-01-01T00:30Z,2\n", tmp_path)
    assert sorted(readings(found)) == [("2014-01-01 00:00", 1.0), ("2014-01-01 00:30", 2.0), ("2014-01-01 01:00", 3.0)]


def test_what_lies_before_the_window_is_passed_over(tmp_path: Path) -> None:
    times = ("2013-12-31T23:30Z", "2014-01-01T00:00Z", "2014-01-02T23:30Z", "2014-01-02T23:45Z", "2014-01-03T00:00Z")
    found = read(HEADER + "".join(f"{time},1\n" for time in times) + "2013-12-31T23:30Z,bad\n", tmp_path)
    assert [time for time, _ in readings(found)] == [
        "2014-01-01 00:00", "2014-01-02 23:30", "2014-01-02 23:45", "2014-01-03 00:00",
    ], "what lies after it is told apart by who asked"  # fmt: skip
    assert rejected(found) == []


@pytest.mark.parametrize(
    "time", ["2014-01-01T00:00", "2014-01-01", "01/01/2014 00:00Z", "2014-02-30T00:00Z", "20:00Z", "", "NaT", "-2014"]
)
def test_a_time_that_is_none_or_has_no_offset_is_rejected(time: str, tmp_path: Path) -> None:
    found = read(f"{HEADER}{time},5\n2014-01-01T00:30Z,1\n", tmp_path)
    assert readings(found) == [("2014-01-01 00:30", 1.0)]
    assert rejected(found) == [("interval_start is not a time with an offset", {"interval_start": time, "demand_mwh": "5"})]


@pytest.mark.parametrize(
    "value",
    ["", "NA", "nan", "inf", "-inf", "1e400", "9" * 400, "1,5", "1 000", "0x10", "1_000", "five", "١٢", "True", "1\0", "--1", "."],
)
def test_a_value_that_is_not_a_plain_finite_number_is_rejected(value: str, tmp_path: Path) -> None:
    found = read(f'{HEADER}2014-01-01T00:00Z,"{value}"\n2014-01-01T00:30Z,1\n', tmp_path)
    assert readings(found) == [("2014-01-01 00:30", 1.0)]
    raw = {"interval_start": "2014-01-01T00:00Z", "demand_mwh": value.replace("\0", "\N{REPLACEMENT CHARACTER}")}
    assert rejected(found) == [("demand_mwh is not a number" if value else "demand_mwh has no value", raw)]


@pytest.mark.parametrize("value", ["5", "5.", "+5", "05", "5e0", "50E-1", "5.000"])
def test_ways_to_write_a_number(value: str, tmp_path: Path) -> None:
    assert readings(read(f"{HEADER}2014-01-01T00:00Z,{value}\n", tmp_path)) == [("2014-01-01 00:00", 5.0)]


@pytest.mark.parametrize("row", ["2014-01-01T00:00Z,2,100", "2014-01-01T00:00Z", "2014-01-01T00:00Z,2\0,100"])
def test_a_row_with_too_many_or_too_few_fields_is_rejected(row: str, tmp_path: Path) -> None:
    found = read(f"{HEADER}{row}\n2014-01-01T00:30Z,1\n", tmp_path)
    assert readings(found) == [("2014-01-01 00:30", 1.0)]
    ((reason, raw),) = rejected(found)
    assert reason == f"{row.count(',') + 1} fields instead of 2"
    assert raw == {"row": row.replace("\0", "\N{REPLACEMENT CHARACTER}")}


@pytest.mark.parametrize("flag", ["yes", "2", "-", "0.5"])
def test_a_holiday_flag_that_is_none_is_rejected_and_the_demand_kept(flag: str, tmp_path: Path) -> None:
    found = read(f"{FULL_HEADER}2014-01-01T00:00Z,2100,4,{flag}\n", tmp_path)
    assert readings(found) == [("2014-01-01 00:00", 2100.0)]
    assert readings(found, Quantity.HOLIDAY) == []
    assert [reason for reason, _ in rejected(found, Quantity.HOLIDAY)] == ["holiday is not a number"]


def test_an_empty_cell_of_an_optional_column_is_no_mistake(tmp_path: Path) -> None:
    found = read(f"{FULL_HEADER}2014-01-01T00:00Z,2100,,\n2014-01-01T00:30Z,,21.5,1\n", tmp_path)
    assert readings(found) == [("2014-01-01 00:00", 2100.0)]
    assert readings(found, Quantity.TEMPERATURE) == [("2014-01-01 00:30", 21.5)]
    assert rejected(found, Quantity.TEMPERATURE) == rejected(found, Quantity.HOLIDAY) == []
    assert [reason for reason, _ in rejected(found)] == ["demand_mwh has no value"]


GZIPPED = gzip.compress((HEADER + "2014-01-01T00:00Z,2100\n" * 20).encode(), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("demand.csv", b"", "is empty"),
        ("demand.csv", b"\n", "is empty"),
        ("demand.csv", b"<!DOCTYPE html>\n<html><body>Not found</body></html>\n", "is a web page"),
        ("demand.csv", b"<html>" + b"x" * 200_000 + b"</html>", "is a web page"),  # in one line
        ("demand.csv", b"interval_start,demand\n2014-01-01T00:00Z,1\n", "no column called 'demand_mwh'"),
        ("demand.csv", b"time,demand_mwh\n2014-01-01T00:00Z,1\n", "no column called 'interval_start'"),
        (
            "demand.csv",
            b"interval_start,demand_mwh,demand_mwh\n2014-01-01T00:00Z,1,2\n",
            "more than one column called 'demand_mwh'",
        ),
        (
            "demand.csv",
            b"interval_start,demand_mwh,holiday,holiday\n2014-01-01T00:00Z,1,0,1\n",
            "more than one column called 'holiday'",
        ),
        ("demand.csv", HEADER.encode("utf-16"), "demand.csv"),
        ("demand.csv.gz", GZIPPED[:-30], "demand.csv.gz"),
        ("demand.csv.gz", GZIPPED[:5], "demand.csv.gz"),
        ("demand.csv.gz", b"", "is empty"),
    ],
)
def test_a_file_that_is_no_demand_is_refused_whole(name: str, content: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(content, tmp_path, name)
    assert problem in caught.value.problem
    assert str(tmp_path) in caught.value.problem
    assert len(caught.value.problem) < 1000
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("demand.csv", GZIPPED),  # gzip is told by its content
        ("demand.csv.gz", (HEADER + "2014-01-01T00:00Z,2100\n").encode()),
        ("demand.csv", b"interval_start,demand_mwh\r2014-01-01T00:00Z,2100\r"),  # newlines of an old Mac
        ("demand.csv", b"\xef\xbb\xbf" + (HEADER + "2014-01-01T00:00Z,2100\r\n").encode()),
    ],
)
def test_a_file_is_what_it_holds(name: str, content: bytes, tmp_path: Path) -> None:
    assert set(readings(read(content, tmp_path, name))) == {("2014-01-01 00:00", 2100.0)}


def test_what_is_not_utf8_costs_its_own_row_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = read(HEADER.encode() + b"2014-01-01T00:00Z,\xff\n2014-01-01T00:30Z,1,\xfe\n2014-01-01T01:00Z,2100\n", tmp_path)
    assert readings(found) == [("2014-01-01 01:00", 2100.0)]
    assert sorted(reason for reason, _ in rejected(found)) == ["3 fields instead of 2", "demand_mwh is not a number"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "problem"), [("missing.csv", "no such file"), (".", "holds no file called"), ("*.csv", "no file matches")]
)
def test_a_path_without_a_file_is_refused(name: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=problem):
        read_file(tmp_path / name)


@pytest.mark.parametrize(
    ("source", "options", "problem"),
    [
        ("csv", {}, "source csv, option path"),
        ("csv", {"path": "a.csv", "demand_mw": "x"}, "has no option 'demand_mw'"),
        ("simulated", {"seed": -1}, "source simulated, option seed"),
        ("parquet", {}, "unknown source 'parquet'"),
    ],
)
def test_options_that_a_source_does_not_take_are_refused(source: str, options: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_source(source, "vic", options, Web())
    assert problem in caught.value.problem
    assert "series vic" in caught.value.problem


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def assert_sound_or_refused(content: bytes, folder: Path, name: str = "fuzz.csv") -> None:
    try:
        found = read(content, folder, name)
    except SourceError:
        return
    for batch in found.values():
        assert np.isfinite(batch.readings["value"]).all()
        assert (batch.readings["interval_start"] >= SINCE).all()


fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
quiet = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@quiet
@given(body=st.binary(max_size=200), header=st.sampled_from(["", HEADER, FULL_HEADER, HEADER.strip()]))
@fuzz
def test_arbitrary_bytes_are_sound_or_refused(body: bytes, header: str, folder: Path) -> None:
    assert_sound_or_refused(header.encode() + body, folder)


@given(body=st.binary(max_size=100))
@fuzz
def test_arbitrary_gzipped_bytes_are_sound_or_refused(body: bytes, folder: Path) -> None:
    assert_sound_or_refused(b"\x1f\x8b\x08" + body, folder, "fuzz.csv.gz")


def written(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([FULL_HEADER.strip().split(","), *rows])
    return text.getvalue().encode()


odd_numbers = st.from_regex(r"\A[+-]?[0-9.]{1,4}([eE][+-]?[0-9]{1,4})?\Z")
odd_times = st.from_regex(r"\A2014-01-0[0-4][T ][0-2][0-9]:[0-9]0(:[0-9.]{1,5})?(Z|[+-][0-9]{2}:?[0-9]{2})?\Z")
anything = st.text(st.characters(codec="utf-8"), max_size=12)
rows = st.lists(st.tuples(*(st.one_of(odd, odd_numbers, anything) for odd in (odd_times, *[odd_numbers] * 3))), max_size=6)


@given(rows=rows)
@example(rows=[("2014-01-01T00:00Z", "1e400", "1e999", "1")])
@example(rows=[("2014-01-01T00:00Z\n", "1\n", "2\r", "true\n")])
@example(rows=[("2014-01-01T00:00+99:99", "1", "2", "1")])
@fuzz
def test_arbitrary_cells_are_sound_or_refused(rows: list[tuple[str, ...]], folder: Path) -> None:
    assert_sound_or_refused(written(rows), folder)


@given(rows=rows.filter(bool))
@example(rows=[("-2014", "1", "1", "1")])
@fuzz
def test_every_row_is_read_or_rejected(rows: list[tuple[str, ...]], folder: Path) -> None:
    """Asked for all of time, no row vanishes, whatever stands in its cells."""
    path = folder / "all.csv"
    path.write_bytes(written((time, value, "1", "1") for time, value, *_ in one_line_each(rows)))
    found = read_file(path, since=utc("0002-01-01 00:00"), until=utc("9998-01-01 00:00"))
    assert found[Quantity.DEMAND].rows == len(rows)


def one_line_each(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [tuple(cell.replace("\n", " ").replace("\r", " ") for cell in row) for row in rows]


def test_a_damaged_gzip_never_yields_other_values(tmp_path: Path) -> None:
    for at in range(len(GZIPPED)):
        damaged = GZIPPED[:at] + bytes([GZIPPED[at] ^ 0x10]) + GZIPPED[at + 1 :]
        try:
            found = read(damaged, tmp_path, "demand.csv.gz")
        except SourceError:
            continue
        assert readings(found) == [("2014-01-01 00:00", 2100.0)] * 20
