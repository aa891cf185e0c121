"""Demand, temperature and holiday flags from CSV: a file, a folder, a glob or a URL, plain or gzipped."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from forecasting.domain import Quantity, Series
from forecasting.errors import SourceError
from forecasting.frames import CHUNK_ROWS, Batch, readings_frame, rejected_frame
from forecasting.sources.files import open_tables
from forecasting.sources.local_clock import DOUBLED, GOOD, NO_TIME, SKIPPED, Clock, DoubledHours
from forecasting.sources.tables import Chunk, numbers, read_chunks, times_of_pattern
from forecasting.sources.units import Unit, mwh_factor
from forecasting.sources.web import Web

FLAGS = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
CELSIUS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda value: value,
    "F": lambda value: (value - 32) / 1.8,
    "K": lambda value: value - 273.15,
}
SAMPLE = datetime(2013, 11, 28, 17, tzinfo=UTC)
"""What a format of times must be able to tell."""
Parse = Callable[[pa.Array], np.ndarray]


class TableOptions(BaseModel):
    """Where the tables are, and how they write times. Column names are the file's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(min_length=1)]
    delimiter: Annotated[str, Field(pattern=r"^[\t -!#-~]$")] = ","
    """One ASCII character."""
    time: str = "interval_start"
    marks: Literal["start", "end"] = "start"
    """Which end of its interval a time names; on a local clock, as that clock shows it."""
    time_zone: str | None = None
    """For times without an offset: the clock that they are on (`local_clock` has the rule for its doubled hours)."""
    time_format: str | None = None
    """As strptime takes it, such as %d/%m/%Y %H:%M; otherwise times are ISO 8601."""
    temperature_unit: Literal["C", "F", "K"] = "C"

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str | None) -> str | None:
        try:
            return value and ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone such as Australia/Melbourne") from None

    @field_validator("time_format")
    @classmethod
    def tells_a_time(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is None:
            return None
        try:
            told = times_of_pattern(pa.array([SAMPLE.strftime(value)]), value)
        except (ValueError, OverflowError):
            told = pd.DatetimeIndex([pd.NaT])
        if "%Z" in value or told.tz_localize(None)[0] != pd.Timestamp(SAMPLE.replace(tzinfo=None)):
            raise ValueError(f"{value!r} does not tell date and hour as strptime has it, such as %d/%m/%Y %H:%M")
        if "%z" not in value and not others.data.get("time_zone"):
            raise ValueError(f"{value!r} has no offset (%z): time_zone has to say on which clock times are")
        return value

    @property
    def clock(self) -> Clock:
        return Clock(ZoneInfo(self.time_zone) if self.time_zone else None, self.time_format)


class CsvOptions(TableOptions):
    """What the columns are called, and what their numbers mean. Temperature, holiday and known_at may be absent."""

    demand: str = "demand_mwh"
    unit: Unit = "MWh"
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """What to multiply the demand by to have it in `unit`."""
    temperature: str = "temperature_c"
    holiday: str = "holiday"
    known_at: str | None = None
    """A column with the time at which each row became known."""


class WeatherOptions(TableOptions):
    """Observed temperature, or forecasts of it where there is a column with their issue time."""

    temperature: str = "temperature_c"
    issued_at: str | None = None


class CsvSource:
    """One row an interval, in any order: its time, the demand, and where there are, temperature and holiday flag.

    Parsing is strict: a row with too many or too few fields, a time that cannot be told or a value that is not a plain number is
    rejected with a reason. An empty cell of temperature or holiday is no mistake.
    """

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = None

    def __init__(self, web: Web, **options: Any) -> None:
        self.web, self.options = web, CsvOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        options = self.options
        factor = options.scale * mwh_factor(options.unit, series.interval)
        celsius = CELSIUS[options.temperature_unit]
        columns: dict[Quantity, tuple[str, Parse]] = {
            Quantity.DEMAND: (options.demand, lambda text: numbers(text) * factor),
            Quantity.TEMPERATURE: (options.temperature, lambda text: celsius(numbers(text))),
            Quantity.HOLIDAY: (options.holiday, _flags),
        }
        optional = {options.temperature, options.holiday}
        yield from _Tables(self.web, options, series, since, until, columns, options.known_at, optional).batches()


class CsvWeather:
    """Temperature from CSV: observed, or forecasts with the time at which each was issued."""

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = None

    def __init__(self, web: Web, **options: Any) -> None:
        self.web, self.options = web, WeatherOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        options = self.options
        celsius = CELSIUS[options.temperature_unit]
        quantity = Quantity.TEMPERATURE_FORECAST if options.issued_at else Quantity.TEMPERATURE
        columns: dict[Quantity, tuple[str, Parse]] = {quantity: (options.temperature, lambda text: celsius(numbers(text)))}
        yield from _Tables(self.web, options, series, since, until, columns, options.issued_at).batches()


@dataclass(frozen=True)
class _Tables:
    """The tables that options name, read for some quantities; the first of these carries what is wrong with a row as a whole."""

    web: Web
    options: TableOptions
    series: Series
    since: datetime
    until: datetime
    columns: Mapping[Quantity, tuple[str, Parse]]
    known_at: str | None
    optional: Collection[str] = ()

    @property
    def _shift(self) -> timedelta:
        return self.series.interval if self.options.marks == "end" else timedelta(0)

    def batches(self) -> Iterator[Batch]:
        """Each quantity in turn, chunk by chunk."""
        clock, time = self.options.clock, self.options.time
        for name, file in open_tables(self.options.path, self.web):
            doubled = DoubledHours(clock, time, self.known_at)
            for chunk in read_chunks(file, name, self.options.delimiter, partial(self._check, name)):
                times, kind = clock.read(chunk.cells[time])
                doubled.note(chunk, times, kind)
                if doubled.rows > CHUNK_ROWS:
                    raise SourceError(
                        f"{name} has more than {CHUNK_ROWS:,} rows whose {time} the clocks of {self.options.time_zone} show twice",
                        "check the file: no clock change is that long",
                    )
                yield from self._of_chunk(chunk, times - self._shift, kind, asked=kind != DOUBLED)
            if (rest := doubled.resolved(self.series)) is not None:
                chunk, times = rest
                kind = np.where(times.isna(), DOUBLED, GOOD)
                yield from self._of_chunk(chunk, times - self._shift, kind, asked=np.ones(len(chunk), dtype=bool))

    def _check(self, name: str, header: list[str]) -> None:
        for column in (self.options.time, *(column for column, _ in self.columns.values()), self.known_at):
            if column is not None and header.count(column) != 1 and not (column in self.optional and column not in header):
                shown = repr(", ".join(header))[1:300]  # on one line, and not all of what may be no header at all
                how_many = "more than one" if column in header else "no"
                raise SourceError(
                    f"{name} has {how_many} column called {column!r}; its header is {shown}",
                    "rename the column, or name it in the series' options in fortnight.toml",
                )

    def _of_chunk(self, chunk: Chunk, starts: pd.DatetimeIndex, kind: np.ndarray, asked: np.ndarray) -> Iterator[Batch]:
        """The batches of the rows that are asked for and do not lie before the window; those without a time do not."""
        timed, untimed = asked & np.asarray(starts >= pd.Timestamp(self.since)), asked & np.asarray(starts.isna())
        if (kind[untimed] != NO_TIME).any():  # twice or never on the clock, but long ago
            latest = self.options.clock.latest(chunk.cells[self.options.time])
            untimed &= ~np.asarray(latest - self._shift < pd.Timestamp(self.since))
        known, known_kind = None, np.full(len(chunk), GOOD)
        if self.known_at:
            known, known_kind = self.options.clock.read(chunk.cells[self.known_at])
        dated = timed & (known_kind == GOOD)
        for number, (quantity, (column, parse)) in enumerate(self.columns.items()):
            if column not in chunk.cells:
                continue
            with np.errstate(over="ignore"):
                value = parse(chunk.cells[column])
            empty = pc.equal(chunk.cells[column], "").to_numpy(zero_copy_only=False)
            good = dated & np.isfinite(value)
            if number == 0:
                awaited = empty & np.asarray(starts >= pd.Timestamp(self.until))  # a table may have rows for what is still to come
                bad, malformed = (timed & ~good & ~awaited) | untimed, chunk.malformed
            else:  # an empty cell of an optional column is no mistake, and a broken time is told with the first quantity
                bad, malformed = dated & ~good & ~empty, []
            readings = readings_frame(starts[good], value[good], None if known is None else known[good])
            rejected = rejected_frame(malformed)
            if bad.any():
                why = [self._reason(column, *row) for row in zip(kind[bad], known_kind[bad], empty[bad], strict=True)]
                texts = chunk.row_texts([self.options.time, column, self.known_at or column], bad)
                told = rejected_frame(list(zip(why, texts, strict=True)), starts[bad])
                rejected = pd.concat([rejected, told], ignore_index=True)
            if len(readings) or len(rejected):
                yield Batch(quantity, readings, rejected)

    def _reason(self, column: str, kind: int, known_kind: int, empty: bool) -> str:
        options = self.options
        if kind == NO_TIME:
            return f"{options.time} is not a time" + ("" if options.time_zone else " with an offset")
        for name, found in ((options.time, kind), (self.known_at, known_kind)):
            if found == NO_TIME:
                return f"{name} is not a time"
            if found == SKIPPED:
                return f"{name} does not exist on the clocks of {options.time_zone}"
            if found == DOUBLED:
                return f"{name} exists twice on the clocks of {options.time_zone}, and nothing tells which is meant"
        return f"{column} has no value" if empty else f"{column} is not a number"


def _flags(text: pa.Array) -> np.ndarray:
    return np.asarray(pd.Series(pc.utf8_lower(text).to_pandas()).map(FLAGS).to_numpy(dtype=float, na_value=np.nan))
