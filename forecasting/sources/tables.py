"""Tables of delimited text, read strictly and in pieces: every cell as text, and no more in memory than a few megabytes.

pandas' own reader would shift columns where a field is missing, take `NA` for a number, and read 1e400 as infinity.
"""

import codecs
import csv as csvlib
import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from forecasting.errors import SourceError
from forecasting.frames import CHUNK_ROWS
from forecasting.sources.cells import LONGEST_CELL
from forecasting.sources.files import explained

BLOCK_BYTES = 2 << 20
LONGEST_HEADER = 1 << 16
LARGEST_TABLE_BYTES = 1 << 31
"""As it is unpacked: a small file can hold a table without an end."""
END_MARK = "\x1f"
"""Of the row that is put after the last one, with a field too many: if it does not come out again, a quotation is open."""
NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$"
TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
WITH_OFFSET, WITHOUT_OFFSET = TIME + r"(?:Z|[+-]\d{2}(?::?\d{2})?)$", TIME + "$"
EARLIEST, LATEST = (np.datetime64(moment, "us").astype(np.int64) for moment in ("1900-01-01", "2300-01-01"))
"""Other years are mistakes; calendars of time zones do not reach all of them."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table: its cells by column, as text without blanks around it, and the rows whose number of fields is wrong."""

    cells: dict[str, pa.Array]
    malformed: list[tuple[str, dict[str, str]]]

    def __len__(self) -> int:
        return len(next(iter(self.cells.values())))

    def row_texts(self, columns: list[str], chosen: np.ndarray) -> list[dict[str, str]]:
        """The raw cells of chosen rows, for quarantine."""
        positions = pa.array(np.flatnonzero(chosen))
        taken = {column: self.cells[column].take(positions) for column in columns if column in self.cells}
        picked = {column: pc.utf8_slice_codeunits(cells, 0, LONGEST_CELL).to_pylist() for column, cells in taken.items()}
        return [dict(zip(picked, row, strict=True)) for row in zip(*picked.values(), strict=True)]


def read_chunks(file: BinaryIO, name: str, delimiter: str, check_header: Callable[[list[str]], None]) -> Iterator[Chunk]:
    """The rows of a table, plain or gzipped, at most CHUNK_ROWS at once.

    Args:
        check_header: given the names of the columns, raises SourceError where they are not what they should be.

    Raises:
        SourceError: not a table, or cut short.
    """
    malformed: list[tuple[str, dict[str, str]]] = []
    end, ended = "", False

    def set_aside(row: csv.InvalidRow) -> str:
        nonlocal ended
        if row.text == end:
            ended = True
        else:
            lines = row.text.count("\n") + 1
            told = f"{row.actual_columns} fields instead of {row.expected_columns}" + (f", in {lines} lines" if lines > 1 else "")
            malformed.append((told, {"row": row.text[:LONGEST_CELL]}))
        return "skip" if len(malformed) <= CHUNK_ROWS else "error"

    with explained(name):
        text = _Utf8(_unzipped(file), name)
        names = _column_names(text, name, delimiter)
        check_header(names)
        end = delimiter.join([END_MARK] * (len(names) + 1))
        text.append(f"\n{end}\n")
        positions = [str(number) for number in range(len(names))]  # columns that nobody wants may share a name
        nothing = {column: pa.array([], pa.string()) for column in names}
        reader = csv.open_csv(
            text,
            read_options=csv.ReadOptions(column_names=positions, use_threads=False, block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False),
        )
        for batch in reader:
            for first in range(0, batch.num_rows, CHUNK_ROWS):
                part = batch.slice(first, CHUNK_ROWS)
                yield Chunk({column: pc.utf8_trim_whitespace(part.column(number)) for number, column in enumerate(names)}, [])
            if malformed:
                yield Chunk(nothing, list(malformed))
                malformed.clear()
        if malformed:
            yield Chunk(nothing, malformed)
    if not ended:
        raise SourceError(f"{name} ends within quotes", "it was cut short, or lacks a quotation mark: check it, or fetch it again")


def numbers(text: pa.Array) -> np.ndarray:
    """Plain decimal numbers; NaN for anything else: empty cells, `nan`, `inf`, `1_000`, and what is too large for a float."""
    good = pc.match_substring_regex(text, NUMBER)
    told = pc.if_else(good, text, pa.scalar(None, pa.string()))
    try:
        value = told.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:  # a leading plus, among other rarities
        value = pd.to_numeric(told.to_pandas(), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(value), value, np.nan)


def times_with_offset(text: pa.Array) -> pd.DatetimeIndex:
    """UTC times of ISO 8601 texts with an offset; NaT for anything else."""
    return _times(text, WITH_OFFSET, pa.timestamp("us", "UTC")).tz_convert("UTC")


def times_without_offset(text: pa.Array) -> pd.DatetimeIndex:
    """Naive times of ISO 8601 texts without an offset; NaT for anything else."""
    return _times(text, WITHOUT_OFFSET, pa.timestamp("us"))


def times_of_pattern(text: pa.Array, pattern: str) -> pd.DatetimeIndex:
    """Times of texts that follow a pattern of strptime, in UTC if it has %z and naive otherwise; NaT for anything else.

    Not by pyarrow, which takes 30 February for 2 March.
    """
    told = pc.if_else(pc.match_substring_regex(text, r"\d"), text, "")  # pandas takes `now` and `today` for times
    parsed = pd.to_datetime(told.to_pandas(), format=pattern, utc="%z" in pattern, errors="coerce")
    return _plausible(pd.DatetimeIndex(parsed).as_unit("us"))


def _times(text: pa.Array, pattern: str, kind: pa.DataType) -> pd.DatetimeIndex:
    told = pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))
    try:
        return _plausible(pd.DatetimeIndex(told.cast(kind).to_pandas()))
    except pa.ArrowInvalid:  # one of them is no time, such as 30 February: the slow way finds which
        parsed = pd.to_datetime(told.to_pandas(), format="ISO8601", utc=kind.tz is not None, errors="coerce")
        return _plausible(pd.DatetimeIndex(parsed).as_unit("us"))


def _plausible(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    us = times.asi8
    return pd.DatetimeIndex(times.where((us >= EARLIEST) & (us < LATEST)))


def _unzipped(file: BinaryIO) -> BinaryIO:
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if is_gzip else file  # type: ignore[return-value]


def _column_names(text: "_Utf8", name: str, delimiter: str) -> list[str]:
    line = text.first_line()
    if not line.strip():
        raise SourceError(f"{name} is empty", "check the file, or fetch it again")
    if line.lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        raise SourceError(f"{name} is a web page, not a table", "check where it comes from")
    if len(line.encode()) >= LONGEST_HEADER:
        raise SourceError(f"the first line of {name} has no end, and is no header", "check the file, or fetch it again")
    return [column.strip() for column in next(csvlib.reader([line], delimiter=delimiter, strict=True))]


class _Utf8(io.RawIOBase):
    """A stream of good UTF-8: what is not is shown as the replacement character, so that only its own row is refused."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name, self._bytes = file, name, 0
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._waiting, self._after = b"", b""
        self._ended = False

    def append(self, text: str) -> None:
        """Let it follow after the end."""
        self._after = text.encode()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._waiting) < size):
            raw = self._file.read(BLOCK_BYTES)
            self._bytes += len(raw)
            if self._bytes > LARGEST_TABLE_BYTES:
                raise SourceError(f"{self._name} unpacks to more than {LARGEST_TABLE_BYTES:,} bytes", "split it")
            self._ended = not raw
            self._waiting += self._decoder.decode(raw, final=self._ended).encode()
        if self._ended:
            self._waiting, self._after = self._waiting + self._after, b""
        size = len(self._waiting) if size < 0 else size
        given, self._waiting = self._waiting[:size], self._waiting[size:]
        return given

    def first_line(self) -> str:
        """The first line that is not empty, up to its end, of which all kinds count, or as much as a header may have."""
        while (start := self.read(LONGEST_HEADER)) and not start.strip(b"\r\n"):
            pass
        self._waiting = start.lstrip(b"\r\n") + self._waiting
        start = self.read(LONGEST_HEADER)
        ends = [position for position in (start.find(b"\n"), start.find(b"\r")) if position >= 0]
        end = min(ends, default=len(start))
        rest = start[end:]
        rest = rest[2:] if rest.startswith(b"\r\n") else rest[1:]
        self._waiting = rest + self._waiting
        return start[:end].decode(errors="replace")
