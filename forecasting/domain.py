"""The words of the field as frozen types. All times are UTC; an interval is marked by its start."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from forecasting.errors import SettingsError

QUANTILES = (0.1, 0.5, 0.9)
"""The published quantile levels, in ascending order."""

Resolution = Literal["daily"]
DAILY: Resolution = "daily"


class Quantity(StrEnum):
    """What a series of readings measures."""

    DEMAND = "demand"
    TEMPERATURE = "temperature"
    HOLIDAY = "holiday"

    @property
    def unit(self) -> str:
        """Energy of the interval in MWh, mean air temperature in degrees Celsius, or a 0/1 flag."""
        return {Quantity.DEMAND: "MWh", Quantity.TEMPERATURE: "C", Quantity.HOLIDAY: "flag"}[self]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of regular readings.

    `publication_delay` is how long after the end of an interval its reading is normally known; it dates readings whose source
    does not say when they became known. Demand has companions (temperature, holiday flag) that share its grid and zone.
    """

    series_id: str
    name: str
    region: str
    time_zone: str
    interval: timedelta
    source: str
    simulated: bool
    quantity: Quantity = Quantity.DEMAND
    publication_delay: timedelta = timedelta(0)
    companion_of: str | None = None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def unit(self) -> str:
        return self.quantity.unit

    @property
    def demand_id(self) -> str:
        return self.companion_of or self.series_id

    def companion(self, quantity: Quantity) -> "Series":
        """The series of another quantity measured beside this demand series; itself for demand."""
        if quantity is Quantity.DEMAND:
            return self
        return Series(
            series_id=f"{self.series_id}.{quantity}",
            name=f"{self.name}: {quantity}",
            region=self.region,
            time_zone=self.time_zone,
            interval=self.interval,
            source=self.source,
            simulated=self.simulated,
            quantity=quantity,
            publication_delay=self.publication_delay,
            companion_of=self.series_id,
        )


def require_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"naive time {moment.isoformat()}: attach a time zone")
    return moment.astimezone(UTC)


def as_of_moment(text: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment up to which a run may know things, in UTC: what the user asked for, or now.

    Raises:
        SettingsError: see `parse_as_of`; or a moment that has not come yet.
    """
    moment = parse_as_of(text, zone) if text else now
    if moment > now:
        raise SettingsError(f"as-of {text} lies in the future", "leave --as-of out for now, or give a moment that has passed")
    return moment.astimezone(UTC)


def parse_as_of(text: str, zone: ZoneInfo) -> datetime:
    """The moment that a user means by `text`, in UTC.

    A bare date is the local midnight that begins it, so the last observed day is the one before. A time needs an offset.

    Raises:
        SettingsError: not a date, or a time without an offset.
    """
    remedy = "give a date such as 2014-01-31, or a time with an offset such as 2014-01-31T06:00+11:00 or 2014-01-30T19:00Z"
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            midnight = datetime.combine(date.fromisoformat(text), datetime.min.time(), zone)
            return midnight.astimezone(UTC)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise SettingsError(f"as-of {text!r} has no offset from UTC", remedy)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError(f"as-of {text!r} is not a time", remedy) from None


@dataclass(frozen=True, slots=True)
class Alert:
    """The beginning or the end of an alert episode."""

    series_id: str
    rule: str
    as_of: datetime
    message: str
    resolved: bool = False
