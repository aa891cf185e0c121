"""Tables of delimited text: quoting, line ends, block borders, rows of a wrong length, and files that are none."""

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.errors import SourceError
from forecasting.sources import tables
from forecasting.sources.files import open_tables
from forecasting.sources.tables import numbers, read_chunks, times_of_pattern, times_with_offset, times_without_offset
from forecasting.sources.web import Web

Rows = list[tuple[str, ...]]


def any_header(_: list[str]) -> None:
    pass


def read(content: bytes, delimiter: str = ",") -> tuple[Rows, list[str]]:
    """The good rows, and why the others are none."""
    good: Rows = []
    bad: list[str] = []
    for chunk in read_chunks(io.BytesIO(content), "a.csv", delimiter, any_header):
        assert len(chunk) <= tables.CHUNK_ROWS
        assert len(chunk.malformed) <= tables.CHUNK_ROWS
        good += zip(*(cells.to_pylist() for cells in chunk.cells.values()), strict=True)
        bad += [reason for reason, _ in chunk.malformed]
    return good, bad


def refusal(content: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        read(content)
    return caught.value.problem


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends() -> None:
    assert read(b'a,b\n"1,2","3\n4"\n"5""6",7\n') == ([("1,2", "3\n4"), ('5"6', "7")], [])


@pytest.mark.parametrize("block", [64, 100, 1000])
def test_a_quoted_line_end_at_the_border_of_two_blocks_splits_no_row(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", block)
    rows = [(str(number), f"x\ny,{number}") for number in range(200)]
    content = "a,b\n" + "".join(f'{number},"{text}"\n' for number, text in rows)
    assert read(content.encode()) == (rows, [])


@pytest.mark.parametrize("cut", [b'3,"4', b'3,"4\n5,6\n7,8\n', b'"3', b'3,"4""'])
def test_a_file_that_ends_within_quotes_is_refused(cut: bytes) -> None:
    assert "ends within quotes" in refusal(b"a,b\n1,2\n" + cut)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_kind_of_line_end_is_one(end: bytes, last: bool) -> None:
    assert read(end.join([b"a,b", b"1,2", b"", b"3,4"]) + end * last) == ([("1", "2"), ("3", "4")], [])


@pytest.mark.parametrize("content", [b"a,b", b"a,b\n", b"a,b\r\n\r\n\n", b"\xef\xbb\xbfa,b\n"])
def test_a_header_alone_has_no_rows(content: bytes) -> None:
    assert read(content) == ([], [])


def test_blank_lines_of_any_length_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 64)
    assert read(b"a,b\n" + b"\n" * 500 + b"1,2\n" + b"\n" * 500 + b"3,4" + b"\n" * 500) == ([("1", "2"), ("3", "4")], [])


def test_a_row_of_a_wrong_length_is_told_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 64)
    for content, good in ((b"1\n" + b"1,2\n" * 50, 50), (b"1,2\n" * 50 + b"1", 50), (b"1\n" * 80 + b"1,2\n", 1)):
        rows, bad = read(b"a,b\n" + content)
        assert rows == [("1", "2")] * good
        assert set(bad) == {"1 fields instead of 2"}
        assert len(bad) == content.count(b"\n") + (not content.endswith(b"\n")) - good


def test_a_table_of_which_a_whole_piece_has_a_wrong_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_ROWS", 7)
    assert "Expected 2 columns, got 3" in refusal(b"a,b\n" + b"1,2,\n" * 8)


@pytest.mark.parametrize("after", [b"", b"a", b"aa"])
def test_a_first_line_without_end_is_refused(after: bytes) -> None:
    problem = refusal(b"a,b," + after + "é".encode() * tables.LONGEST_HEADER)  # cut within a letter or between two
    assert "first line" in problem
    assert len(problem) < 500


def test_a_row_longer_than_a_block_is_refused() -> None:
    assert "a.csv" in refusal(b"a,b\n1,2\n" + b"9" * (tables.BLOCK_BYTES * 2) + b",1\n2,3\n")


def test_a_byte_order_mark_in_the_middle_belongs_to_its_cell() -> None:
    assert read(b"a,b\n1,\xef\xbb\xbf2\n") == ([("1", "\ufeff2")], [])


def test_letters_split_over_two_pieces_are_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 61)
    rows = [(str(number), "é€𝄞") for number in range(100)]
    assert read(b"a,b\n" + "".join(f"{a},{b}\n" for a, b in rows).encode()) == (rows, [])


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=6).map(str.strip)


@given(rows=st.lists(st.tuples(cells, cells.filter(bool), cells), max_size=30), block=st.integers(100, 400), zipped=st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_is_quoted_is_read_back(rows: Rows, block: int, zipped: bool) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    content = ("a;b;c\n" + "".join(";".join(map(quoted, row)) + "\n" for row in rows)).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "BLOCK_BYTES", block)
        assert read(gzip.compress(content) if zipped else content, ";") == (rows, [])


def test_a_reader_may_stop_early(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 2_000_000)
    for _ in range(5):
        opened = open_tables(str(path), Web())
        _, file = next(opened)
        chunks = read_chunks(file, "a.csv", ",", any_header)
        assert len(next(chunks)) == tables.CHUNK_ROWS
        chunks.close()
        opened.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["x" * 300, "a\0b.csv", "~nobody-of-this-name/a.csv", "**x/*.csv", "a.csv/b.csv", "["], ids=repr)
def test_a_path_that_is_none_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    with pytest.raises(SourceError) as caught:
        list(open_tables(path, Web()))
    assert "\n" not in str(caught.value)


def test_folders_among_the_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.csv", "A.CSV", "c.csv.gz"):
        (tmp_path / name).write_bytes(b"a,b\n")
    (tmp_path / "d.csv").mkdir()
    for path in (tmp_path, tmp_path / "*"):
        assert [Path(name).name for name, _ in open_tables(str(path), Web())] == ["A.CSV", "b.csv", "c.csv.gz"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_bytes(b"a,b\n")
    assert len(list(open_tables(str(tmp_path / "a[1].csv"), Web()))) == 1


def text(*cells: str) -> pa.Array:
    return pa.array(cells, pa.string())


@given(value=st.floats(allow_nan=False, allow_infinity=False), beside=st.sampled_from(["1", "+1", "", "1e999"]))
def test_a_number_is_read_back_whatever_stands_beside_it(value: float, beside: str) -> None:
    assert numbers(text(repr(value), beside))[0] == value


def test_what_is_too_large_for_a_float_is_no_number() -> None:
    assert np.isnan(numbers(text("1e309", "-1e4000", "9" * 400))).all()


WRITTEN = ["2014-02-28T23:30", "2014-02-28 23:30:00", "2014-02-28T23:30:00.000000"]


@pytest.mark.parametrize("beside", [[], ["2014-02-30T00:00", "", "now"]])
def test_times_are_the_same_whether_or_not_a_bad_one_stands_beside_them(beside: list[str]) -> None:
    naive = times_without_offset(text(*WRITTEN, *beside))
    assert naive.tolist() == [pd.Timestamp("2014-02-28 23:30")] * 3 + [pd.NaT] * len(beside)
    offsets = ["Z", "+00", "+0000", "+00:00", "-00:00"]
    aware = times_with_offset(text(*(time + offset for time in WRITTEN for offset in offsets), *beside))
    assert aware.tolist() == [pd.Timestamp("2014-02-28 23:30", tz="UTC")] * 15 + [pd.NaT] * len(beside)
    assert naive.unit == aware.unit == "us"


@pytest.mark.parametrize("year", ["0000", "0014", "1899", "2300", "9999"])
def test_a_year_in_which_nobody_measures_is_no_time(year: str) -> None:
    """A year of two digits in a pattern of four would otherwise be passed over as long ago."""
    assert times_with_offset(text(f"{year}-06-01T00:00Z")).isna().all()
    assert times_without_offset(text(f"{year}-06-01T00:00")).isna().all()
    assert times_of_pattern(text(f"{year}0601 0000"), "%Y%m%d %H%M").isna().all()


@pytest.mark.parametrize(
    "cell",
    ["30/02/2014 00:00", "31/04/2014 00:00", "01/01/2014 24:00", "01/01/2014 00:00x", "01/01/14 00:00", "now", "Today", "", "NaT"],
)
def test_what_does_not_follow_the_pattern_is_no_time(cell: str) -> None:
    found = times_of_pattern(text("28/02/2014 13:05", cell), "%d/%m/%Y %H:%M")
    assert found.tolist() == [pd.Timestamp("2014-02-28 13:05"), pd.NaT]


@pytest.mark.parametrize(
    ("pattern", "cell"),
    [
        ("%d/%m/%Y %H:%M:%S.%f", "28/02/2014 13:05:00.000000"),
        ("%d-%b-%y %I:%M %p", "28-Feb-14 01:05 PM"),
        ("%Y%m%d%H%M", "201402281305"),
        ("%m/%d/%Y %H:%M", "2/28/2014 13:05"),
        ("%d/%m/%Y %H:%M %z", "28/02/2014 23:05 +1000"),
    ],
)
def test_patterns_of_strptime(pattern: str, cell: str) -> None:
    (found,) = times_of_pattern(text(cell), pattern)
    assert found == pd.Timestamp("2014-02-28 13:05", tz="UTC" if "%z" in pattern else None)
