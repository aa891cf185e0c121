"""Demand, temperature and holiday flags from a CSV file, plain or gzipped."""

import csv as csvlib
import gzip
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv
from pydantic import BaseModel, ConfigDict

from forecasting.domain import Quantity, Series
from forecasting.errors import SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame

FLAGS = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}


class CsvOptions(BaseModel):
    """Where the file is, and what its columns are called. Optional columns may be absent from the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    interval_start: str = "interval_start"
    demand_mwh: str = "demand_mwh"
    temperature_c: str = "temperature_c"
    holiday: str = "holiday"


class CsvSource:
    """One row an interval: its start with an offset from UTC, the demand in MWh, and where there are, temperature and holiday flag.

    Parsing is strict. A row with too many or too few fields, a time without an offset or a value that is not a plain number is
    rejected with a reason; pandas' own reader would shift columns, take `NA` for a number and read 1e400 as infinity.
    """

    simulated: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        self.options = CsvOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        table, malformed = self._table()
        options = self.options
        starts = _times(table[options.interval_start])
        columns = {
            Quantity.DEMAND: options.demand_mwh,
            Quantity.TEMPERATURE: options.temperature_c,
            Quantity.HOLIDAY: options.holiday,
        }
        last_start = pd.Timestamp(until - series.interval)
        untold = np.asarray(starts.isna())
        asked = untold | np.asarray((starts >= pd.Timestamp(since)) & (starts <= last_start))
        for quantity, column in columns.items():
            if column not in table.columns:
                continue
            text = table[column]
            values = _flags(text) if quantity is Quantity.HOLIDAY else _numbers(text)
            good = asked & ~untold & ~np.isnan(values)
            if quantity is Quantity.DEMAND:
                bad, rejected = asked & ~good, list(malformed)
            else:  # an empty cell of an optional column is no mistake, and a broken time is told with the demand
                bad, rejected = asked & ~good & ~untold & np.asarray(text != ""), []
            for start, time, cell in zip(starts[bad], table.loc[bad, options.interval_start], text[bad], strict=True):
                reason = f"{options.interval_start} is not a time with an offset" if pd.isna(start) else f"{column} is not a number"
                rejected.append((reason, {options.interval_start: time, column: cell}))
            yield Batch(quantity, readings_frame(starts[good], values[good]), rejected_frame(rejected))

    def _table(self) -> tuple[pd.DataFrame, list[tuple[str, dict[str, str]]]]:
        """Every cell as text, and the rows whose number of fields is wrong."""
        path = self.options.path
        malformed: list[tuple[str, dict[str, str]]] = []

        def set_aside(row: csv.InvalidRow) -> str:
            malformed.append((f"{row.actual_columns} fields instead of {row.expected_columns}", {"row": row.text}))
            return "skip"

        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                names = self._column_names(file.readline())
                table = csv.read_csv(
                    file,
                    read_options=csv.ReadOptions(column_names=names, use_threads=False),
                    parse_options=csv.ParseOptions(invalid_row_handler=set_aside),
                    convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
                )
        except FileNotFoundError:
            raise SourceError(f"no such file: {path}", "correct the path, or bring the file back") from None
        except IsADirectoryError:
            raise SourceError(f"{path} is a folder", "give the path of one CSV file") from None
        except PermissionError:
            raise SourceError(f"{path} may not be read", "make it readable for this user") from None
        except (pa.ArrowInvalid, csvlib.Error, OSError, EOFError, zlib.error, UnicodeDecodeError, StopIteration) as error:
            problem = str(error).split("\n")[0] or "it is empty"
            raise SourceError(f"{path} is not a readable CSV file ({problem})", "check the file, or fetch it again") from None
        return table.to_pandas(), malformed

    def _column_names(self, header: bytes) -> list[str]:
        names = [name.strip() for name in next(csvlib.reader([header.decode("utf-8-sig")]))]
        path, options = self.options.path, self.options
        for wanted in (options.interval_start, options.demand_mwh, options.temperature_c, options.holiday):
            is_optional = wanted in (options.temperature_c, options.holiday)
            if names.count(wanted) != 1 and not (is_optional and wanted not in names):
                raise SourceError(
                    f"{path} has {names.count(wanted)} columns called {wanted!r}; its header is {', '.join(names)}",
                    "rename the column, or name it in the series' options in fortnight.toml",
                )
        return names


def _times(text: pd.Series) -> pd.DatetimeIndex:
    """UTC times of ISO 8601 texts; NaT where there is no offset or no time."""
    told = text.where(text.str.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})"))
    return pd.DatetimeIndex(pd.to_datetime(told, format="ISO8601", utc=True, errors="coerce"))


def _numbers(text: pd.Series) -> np.ndarray:
    """Plain decimal numbers; NaN for anything else: empty cells, `nan`, `inf`, and what is too large for a float."""
    told = text.where(text.str.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"))
    numbers = pd.to_numeric(told, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _flags(text: pd.Series) -> np.ndarray:
    return text.str.lower().map(FLAGS).to_numpy(dtype=float, na_value=np.nan)
