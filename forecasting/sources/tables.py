"""Tables of delimited text, read strictly and in pieces: every cell as text, and no more in memory than a few megabytes.

pandas' own reader would shift columns where a field is missing, take `NA` for a number, and read 1e400 as infinity.
"""

import codecs
import csv as csvlib
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from forecasting.errors import SourceError
from forecasting.frames import CHUNK_ROWS
from forecasting.sources.web import Web

BLOCK_BYTES = 2 << 20
LONGEST_HEADER = 1 << 16
NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$"
TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
WITH_OFFSET, WITHOUT_OFFSET = TIME + r"(?:Z|[+-]\d{2}(?::?\d{2})?)$", TIME + "$"


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
        picked = {column: self.cells[column].take(positions).to_pylist() for column in columns if column in self.cells}
        return [dict(zip(picked, row, strict=True)) for row in zip(*picked.values(), strict=True)]


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What can be wrong with a file, in one line.

    Raises:
        SourceError: it is missing, may not be read, is cut short, or is no table.
    """
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"no such file: {name}", "correct the path, or bring the file back") from None
    except PermissionError:
        raise SourceError(f"{name} may not be read", "make it readable for this user") from None
    except (pa.ArrowInvalid, csvlib.Error, OSError, EOFError, zlib.error) as error:
        problem = str(error).split("\n")[0] or "it is empty"
        raise SourceError(f"{name} is not a readable CSV file ({problem})", "check the file, or fetch it again") from None


def open_tables(path: str, web: Web) -> Iterator[tuple[str, BinaryIO]]:
    """The files that a path means, with their names: a file, all CSV files of a folder, a glob, or a URL.

    Raises:
        SourceError: there is none, or one cannot be read.
    """
    if path.startswith(("http://", "https://")):
        with web.download(path) as body:
            yield path.partition("?")[0].rpartition("@")[2], body
        return
    place = Path(path).expanduser()
    if place.is_dir():
        found = sorted(file for pattern in ("*.csv", "*.csv.gz") for file in place.glob(pattern))
        missing = f"{path} holds no file called *.csv or *.csv.gz"
    elif any(sign in path for sign in "*?[") and not place.exists():
        found = sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
        missing = f"no file matches {path}"
    else:
        found, missing = [place], ""
    if not found:
        raise SourceError(missing, "correct the path, or bring the files")
    for file in found:
        with explained(str(file)), file.open("rb") as body:
            yield str(file), body


def read_chunks(file: BinaryIO, name: str, delimiter: str, check_header: Callable[[list[str]], None]) -> Iterator[Chunk]:
    """The rows of a table, plain or gzipped, at most CHUNK_ROWS at once.

    Args:
        check_header: given the names of the columns, raises SourceError where they are not what they should be.

    Raises:
        SourceError: not a table, or cut short.
    """
    malformed: list[tuple[str, dict[str, str]]] = []

    def set_aside(row: csv.InvalidRow) -> str:
        malformed.append((f"{row.actual_columns} fields instead of {row.expected_columns}", {"row": row.text}))
        return "skip"

    with explained(name):
        text = _Utf8(_unzipped(file))
        names = _column_names(text, name, delimiter)
        check_header(names)
        positions = [str(number) for number in range(len(names))]  # columns that nobody wants may share a name
        if not text.peek():
            return
        reader = csv.open_csv(
            text,
            read_options=csv.ReadOptions(column_names=positions, use_threads=False, block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter=delimiter, invalid_row_handler=set_aside),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False),
        )
        for batch in reader:
            for first in range(0, max(1, batch.num_rows), CHUNK_ROWS):
                part = batch.slice(first, CHUNK_ROWS)
                cells = {column: pc.utf8_trim_whitespace(part.column(number)) for number, column in enumerate(names)}
                yield Chunk(cells, list(malformed))
                malformed.clear()
        if malformed:
            yield Chunk({column: pa.array([], pa.string()) for column in names}, malformed)


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


def _times(text: pa.Array, pattern: str, kind: pa.DataType) -> pd.DatetimeIndex:
    told = pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))
    try:
        return pd.DatetimeIndex(told.cast(kind).to_pandas())
    except pa.ArrowInvalid:  # one of them is no time, such as 30 February: the slow way finds which
        parsed = pd.to_datetime(told.to_pandas(), format="ISO8601", utc=kind.tz is not None, errors="coerce")
        return pd.DatetimeIndex(parsed).as_unit("us")


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
    return [column.strip() for column in next(csvlib.reader([line], delimiter=delimiter, strict=True))]


class _Utf8(io.RawIOBase):
    """A stream of good UTF-8: what is not is shown as the replacement character, so that only its own row is refused."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._waiting = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._waiting) < size):
            raw = self._file.read(BLOCK_BYTES)
            self._ended = not raw
            self._waiting += self._decoder.decode(raw, final=self._ended).encode()
        size = len(self._waiting) if size < 0 else size
        given, self._waiting = self._waiting[:size], self._waiting[size:]
        return given

    def peek(self) -> bytes:
        """What comes next, if anything; blank lines do not count."""
        start = self.read(BLOCK_BYTES)
        self._waiting = start + self._waiting
        return start.strip()

    def first_line(self) -> str:
        """Up to the first line end; all kinds of line ends count."""
        start = self.read(LONGEST_HEADER)
        ends = [position for position in (start.find(b"\n"), start.find(b"\r")) if position >= 0]
        end = min(ends, default=len(start))
        rest = start[end:]
        rest = rest[2:] if rest.startswith(b"\r\n") else rest[1:]
        self._waiting = rest + self._waiting
        return start[:end].decode()
