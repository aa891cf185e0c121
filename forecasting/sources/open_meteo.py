"""Hourly air temperature of a place from Open-Meteo: its archive, which is some days late, and its forecast of today.

A temperature is of the moment, 2 m above ground, at full hours. It is taken for the interval that begins then, or where the zone is
half an hour off, that it is in the middle of.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecasting.calendar import EPOCH, grid_anchor
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.sources.cells import between, raw_cells
from forecasting.sources.strict_json import read_json
from forecasting.sources.web import Refused, Web, place_of

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
DAY_S = 86_400
VARIABLE = "temperature_2m"
UNITS = {"time": "unixtime", VARIABLE: "°C"}
END_OF_TIME_S = 2**33
ASKED = {"hourly": VARIABLE, "timezone": "GMT", "timeformat": "unixtime"}


class OpenMeteoOptions(BaseModel):
    """Where the thermometer stands, in degrees north and east, and where to ask."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    forecast_url: str = "https://api.open-meteo.com/v1/forecast"
    archive_url: str = "https://archive-api.open-meteo.com/v1/archive"
    archive_delay_days: Annotated[int, Field(ge=0, le=92)] = 5
    """How far back the archive is not asked; those days come from the forecast."""
    forecast_days: Annotated[int, Field(ge=1, le=16)] = 16


@dataclass(frozen=True, slots=True)
class Hours:
    """What an answer says of the hours from midnight of its first day on."""

    first_day: date
    readings: pd.DataFrame
    rejected: pd.DataFrame

    def earlier(self, by: timedelta) -> "Hours":
        """The same temperatures, of intervals that begin so much earlier."""
        moved = (frame.assign(interval_start=frame["interval_start"] - by) for frame in (self.readings, self.rejected))
        return Hours(self.first_day, *moved)


class OpenMeteoSource:
    """Temperatures up to `until`, and the forecast from then on, known at `until`.

    The forecast endpoint only knows its own present. Where its today is not the day of `until`, which is then being replayed, it
    would tell the future: nothing of it is used, and the archive is asked for everything.
    """

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = timedelta(days=366)

    def __init__(self, web: Web, **options: Any) -> None:
        self.web, self.options = web, OpenMeteoOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        """Raises SettingsError for intervals other than full hours."""
        if series.interval != HOUR:
            raise SettingsError(
                f"series {series.series_id} has intervals of {series.interval}, but Open-Meteo has hours",
                "set interval_minutes of its weather to 60",
            )
        early = (EPOCH - grid_anchor(series.zone, HOUR)) % HOUR
        archived_until = max(since, until - self.options.archive_delay_days * DAY)
        present = self._present(archived_until, until, early)
        archived_until = until if present is None else archived_until
        told = []
        for start, stop in _stretches(since, archived_until):
            days = {"start_date": f"{start:%Y-%m-%d}", "end_date": f"{stop - SECOND:%Y-%m-%d}"}
            hours = self._ask(self.options.archive_url, **days).earlier(early)
            end = until if stop == archived_until else stop  # the archive may be quicker than it promises
            batch = between(Batch(Quantity.TEMPERATURE, hours.readings, hours.rejected), start, end - HOUR)
            told.append(batch.readings["interval_start"])
            yield batch
        if present is None:
            return
        known = pd.concat(told) if told else present.readings["interval_start"][:0]
        unknown = present.readings[~present.readings["interval_start"].isin(known)]
        fresh = Batch(Quantity.TEMPERATURE, unknown, present.rejected)
        yield between(fresh, since, until - HOUR)
        later = present.readings[present.readings["interval_start"] >= until]
        issued = pd.DatetimeIndex([until] * len(later))
        forecast = readings_frame(pd.DatetimeIndex(later["interval_start"]), later["value"].to_numpy(), issued)
        rejected = present.rejected[present.rejected["interval_start"] >= until]
        yield Batch(Quantity.TEMPERATURE_FORECAST, forecast, rejected.reset_index(drop=True))

    def _present(self, since: datetime, until: datetime, early: timedelta) -> Hours | None:
        """The forecast endpoint's past and coming days; None where its today is not the day of `until`."""
        past_days = (until.date() - since.date()).days
        hours = self._ask(self.options.forecast_url, past_days=f"{past_days}", forecast_days=f"{self.options.forecast_days}")
        return hours.earlier(early) if hours.first_day + past_days * DAY == until.date() else None

    def _ask(self, url: str, **asked: str) -> Hours:
        place = {"latitude": f"{self.options.latitude}", "longitude": f"{self.options.longitude}"}
        try:
            return parse_hours(self.web.get(url, {**place, **ASKED, **asked}), place_of(url))
        except Refused as refusal:
            problem, remedy = f"{refusal.problem}{_reason(refusal.told)}", refusal.remedy
        raise SourceError(problem, remedy)


def parse_hours(body: bytes, place: str) -> Hours:
    """The temperatures of an answer. A null is no reading, and nothing to complain of either.

    Raises:
        SourceError: not the documented answer, or in other units.
    """
    answer = read_json(body, place)
    hourly, units = _part(answer, "hourly"), _part(answer, "hourly_units")
    told_s, told_c = (hourly.get(name) for name in UNITS)
    if not isinstance(told_s, list) or not isinstance(told_c, list) or len(told_s) != len(told_c) or not told_s:
        raise SourceError(f"{place} answers without hours and their {VARIABLE}{_reason(body)}", "look at what it sends")
    found = {name: units.get(name) for name in UNITS} | {"utc_offset_seconds": answer.get("utc_offset_seconds")}
    if found != UNITS | {"utc_offset_seconds": 0}:
        raise SourceError(f"{place} answers in {str(found)[:200]}, not in {UNITS} of UTC", "look at what it sends: it has changed")
    time_s = np.array([told if type(told) is int and 0 <= told < END_OF_TIME_S else -1 for told in told_s], dtype=np.int64)
    if time_s[0] % DAY_S:
        raise SourceError(f"{place} does not begin at midnight", "look at what it sends")
    temperature_c = np.array([_number(told) for told in told_c])
    start = pd.DatetimeIndex((time_s * 1_000_000).astype("datetime64[us]"), tz="UTC")
    reasons = np.full(len(time_s), "", dtype=object)
    reasons[~np.isfinite(temperature_c)] = f"{VARIABLE} is not a number"
    reasons[time_s < 0] = "time is not a time"
    is_null = np.array([told is None for told in told_c])
    good, bad = (reasons == "") & ~is_null, (reasons != "") & ~(is_null & (time_s >= 0))
    rows = [(reasons[row], raw_cells({"time": told_s[row], VARIABLE: told_c[row]})) for row in np.flatnonzero(bad)]
    about = pd.DatetimeIndex(pd.Series(start[bad]).where(pd.Series(time_s[bad] >= 0)))
    return Hours(start[0].date(), readings_frame(start[good], temperature_c[good]), rejected_frame(rows, about))


def _part(answer: Any, name: str) -> dict[str, Any]:
    part = answer.get(name) if isinstance(answer, dict) else None
    return part if isinstance(part, dict) else {}


def _number(told: Any) -> float:
    is_number = type(told) is float or (type(told) is int and abs(told) < END_OF_TIME_S)
    return float(told) if is_number else np.nan


def _reason(body: bytes) -> str:
    """What an error message of Open-Meteo gives as its reason."""
    with suppress(SourceError):
        answer = read_json(body, "")
        if isinstance(answer, dict) and isinstance(answer.get("reason"), str):
            return ": " + " ".join(answer["reason"].split())[:200]
    return ""


def _stretches(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A stretch of time in parts of at most a year, which an answer can hold."""
    while start < end:
        stop = min(end, start + 366 * DAY)
        yield start, stop
        start = stop
