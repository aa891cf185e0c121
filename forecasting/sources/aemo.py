"""Operational demand of a region of Australia's National Electricity Market, from AEMO's monthly price and demand files.

Columns REGION, SETTLEMENTDATE, TOTALDEMAND (MW), RRP and PERIODTYPE. SETTLEMENTDATE is the end of the period in UTC+10, all year:
the last row of a month bears the first midnight of the next. Periods are half-hours until September 2021 and five minutes since.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecasting.calendar import EPOCH, grid_anchor
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.sources.cells import between, plain_decimals, raw_cells
from forecasting.sources.units import mwh_factor
from forecasting.sources.web import NotThere, Web, place_of

MARKET_TIME = timezone(timedelta(hours=10))
FIVE_MINUTES_SINCE = date(2021, 10, 1)
HALF_HOUR, FIVE_MINUTES = timedelta(minutes=30), timedelta(minutes=5)
NEEDED = ("REGION", "SETTLEMENTDATE", "TOTALDEMAND", "PERIODTYPE")
TIME = r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}(?::[0-9]{2})?"
FEWEST_TO_TELL = 12
"""Rows from which one sees how long their periods are."""
NOT_YET = timedelta(days=2)
"""How far into a month its file may still be missing, or have no rows."""


class AemoOptions(BaseModel):
    """Which region, and where its files are: {month} stands for a month such as 202109, {region} for the region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: Literal["NSW1", "QLD1", "SA1", "TAS1", "VIC1"]
    url: Annotated[str, Field(pattern=r"\{month\}")] = (
        "https://aemo.com.au/aemo/data/nem/priceanddemand/PRICE_AND_DEMAND_{month}_{region}.csv"
    )


@dataclass(frozen=True, slots=True)
class Month:
    """What a monthly file says: the mean power of its periods, and the rows that could not be read."""

    step: timedelta
    start: pd.DatetimeIndex
    """UTC"""
    power_mw: np.ndarray
    rejected: list[tuple[str, dict[str, str]]]
    rejected_start: pd.DatetimeIndex


class AemoSource:
    """Demand on the series' grid, of which each interval is made of all the periods in it or left out."""

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = timedelta(days=31)

    def __init__(self, web: Web, **options: Any) -> None:
        self.web, self.options = web, AemoOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        """Raises SettingsError for an interval that no periods fit into."""
        anchor = grid_anchor(series.zone, series.interval)
        if series.interval % FIVE_MINUTES or (anchor - EPOCH) % HALF_HOUR:
            raise SettingsError(
                f"AEMO's periods do not fit the intervals of {series.interval} in {series.time_zone} of series {series.series_id}",
                "set interval_minutes to 5, 30 or 60 and time_zone to one of the region",
            )
        held = _energy(pd.DatetimeIndex([], tz="UTC"), np.empty(0), FIVE_MINUTES)
        for first in _months(since, until):
            month = self._month(first, until)
            if month is None:
                continue
            if series.interval % month.step:
                raise SourceError(
                    f"AEMO's periods of {month.step // timedelta(minutes=1)} minutes in {first:%Y-%m} make no intervals of the "
                    f"{series.interval // timedelta(minutes=1)} minutes of series {series.series_id}",
                    "set its interval_minutes to 30 or 60, or ask for what is after September 2021",
                )
            batch, held = _batch(month, held, series, first)
            yield between(batch, since, until - series.interval)

    def _month(self, first: date, until: datetime) -> Month | None:
        """None where the file, or its first row, may still be to come."""
        url = self.options.url.replace("{month}", f"{first:%Y%m}").replace("{region}", self.options.region)
        may_be_absent = until - _midnight(first) <= NOT_YET
        try:
            month = parse_month(self.web.get(url), self.options.region, first, place_of(url))
        except NotThere:
            if may_be_absent:
                return None
            raise
        if not len(month.start) and not month.rejected:
            if may_be_absent:
                return None
            raise SourceError(f"{place_of(url)} has no rows", "try again later; should it last, look at the file")
        return month


def parse_month(body: bytes, region: str, first: date, place: str) -> Month:
    """The rows of the file of one month.

    Args:
        first: the first day of the month.
        place: where the file is, for messages.

    Raises:
        SourceError: other columns, or periods of another length than that month's.
    """
    text = body.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    header, *lines = [line for line in text.split("\n") if line] or [""]
    names = [name.strip() for name in _cells(header) or [header]]
    if any(names.count(wanted) != 1 for wanted in NEEDED):
        told = ", ".join(names)[:120] or "nothing"
        raise SourceError(f"{place} begins with {told!r}, not with the columns {', '.join(NEEDED)}", "look at the file")
    cells = [_cells(line) for line in lines]
    table = pd.DataFrame([row for row in cells if row and len(row) == len(names)], columns=names, dtype=object)
    step = FIVE_MINUTES if first >= FIVE_MINUTES_SINCE else HALF_HOUR
    start = (_times(table["SETTLEMENTDATE"]) - timedelta(hours=10)).tz_localize(UTC) - step
    power_mw = plain_decimals(table["TOTALDEMAND"].tolist())
    outside = ~np.asarray((start >= pd.Timestamp(_midnight(first))) & (start < pd.Timestamp(_midnight(_next_month(first)))))
    _require_step(start[~outside], step, first, place)
    reasons = np.full(len(table), "", dtype=object)
    for reason, broken in (  # the last that applies is told
        ("PERIODTYPE is not TRADE", table["PERIODTYPE"] != "TRADE"),
        (f"REGION is not {region}", table["REGION"] != region),
        ("TOTALDEMAND is not a number", np.isnan(power_mw)),
        ("no value", table["TOTALDEMAND"] == ""),
        (f"SETTLEMENTDATE is not of {first:%Y-%m}", outside),
        ("SETTLEMENTDATE is not a time", start.isna()),
    ):
        reasons[np.asarray(broken, dtype=bool)] = reason
    bad = reasons != ""
    rejected = [
        (reason, raw_cells(dict(zip(names, row, strict=True))))
        for reason, row in zip(reasons[bad], table[bad].itertuples(index=False, name=None), strict=True)
    ]
    odd = [line for line, row in zip(lines, cells, strict=True) if not row or len(row) != len(names)]
    rejected += [(f"not {len(names)} fields", raw_cells({"row": line})) for line in odd]
    about = [None if is_outside else moment for moment, is_outside in zip(start[bad], outside[bad], strict=True)]
    return Month(step, start[~bad], power_mw[~bad], rejected, _utc([*about, *[None] * len(odd)]))


def _cells(line: str) -> list[str] | None:
    """None for a line whose quotes do not match."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return None


def _times(text: "pd.Series[str]") -> pd.DatetimeIndex:
    told = text.where(text.str.fullmatch(TIME).astype(bool))
    whole = told.where(told.str.len() != len("2012/01/01 00:30"), told + ":00")
    return pd.DatetimeIndex(pd.to_datetime(whole, format="%Y/%m/%d %H:%M:%S", errors="coerce")).as_unit("us")


def _require_step(start: pd.DatetimeIndex, step: timedelta, first: date, place: str) -> None:
    """Raises SourceError where most neighbours are another time apart than the periods of the month last."""
    apart = np.diff(np.unique(start.to_numpy()))
    if len(apart) + 1 < FEWEST_TO_TELL:
        return
    lengths, counts = np.unique(apart, return_counts=True)
    usual = pd.Timedelta(lengths[counts.argmax()])
    if usual != pd.Timedelta(step):
        raise SourceError(
            f"the rows of {place} are {usual} apart, where {step} is expected in {first:%Y-%m}", "look at the file: it has changed"
        )


def _energy(start: pd.DatetimeIndex, power_mw: np.ndarray, step: timedelta) -> pd.DataFrame:
    """start, energy_mwh and minutes of periods."""
    return pd.DataFrame({"start": start, "energy_mwh": power_mw * mwh_factor("MW", step), "minutes": step // timedelta(minutes=1)})


def _batch(month: Month, held: pd.DataFrame, series: Series, first: date) -> tuple[Batch, pd.DataFrame]:
    """Readings on the series' grid, and the periods of a last interval that ends in the next month."""
    rows, rejected, about = _energy(month.start, month.power_mw, month.step), list(month.rejected), list(month.rejected_start)
    if month.step < series.interval:
        rows = pd.concat([held, rows]).drop_duplicates().sort_values("start", ignore_index=True)
        doubled = rows["start"].duplicated(keep=False)
        for start, energy_mwh in rows.loc[doubled, ["start", "energy_mwh"]].itertuples(index=False):
            rejected.append(("doubled with different values", {"start": start.isoformat(), "energy_mwh": repr(energy_mwh)}))
            about.append(start)
        rows = rows[~doubled]
        rows["interval"] = _on_grid(pd.DatetimeIndex(rows["start"]), series)
        ends_later = rows["interval"] + series.interval > pd.Timestamp(_midnight(_next_month(first)))
        held, sums = rows[ends_later][held.columns], rows[~ends_later].groupby("interval")[["energy_mwh", "minutes"]].sum()
        rows = sums[sums["minutes"] == series.interval // timedelta(minutes=1)].rename_axis("start").reset_index()
    frame = readings_frame(pd.DatetimeIndex(rows["start"]), rows["energy_mwh"].to_numpy())
    return Batch(Quantity.DEMAND, frame, rejected_frame(rejected, _on_grid(_utc(about), series))), held


def _utc(moments: Sequence[pd.Timestamp | None]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.Series(moments, dtype="datetime64[us, UTC]"))


def _on_grid(start: pd.DatetimeIndex, series: Series) -> pd.DatetimeIndex:
    """The start of the series' interval that each moment lies in."""
    anchor = pd.Timestamp(grid_anchor(series.zone, series.interval))
    return start - (start - anchor) % pd.Timedelta(series.interval)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), MARKET_TIME)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _months(since: datetime, until: datetime) -> Iterator[date]:
    """The first days of the months in which the periods between two moments start."""
    first = since.astimezone(MARKET_TIME).date().replace(day=1)
    while max(since, _midnight(first)) < until:
        yield first
        first = _next_month(first)
