"""The words of the field as frozen types. All times are UTC; an interval is marked by its start."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from forecasting.errors import SettingsError

LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""The quantile levels that every model forecasts, in ascending order; the middle one is the median."""
QUANTILES = (0.1, 0.5, 0.9)
"""Those of them that the pinball loss is taken over."""
PUBLISHED = (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
"""Those of them that are published."""

Resolution = Literal["daily", "interval"]
DAILY: Resolution = "daily"
INTERVAL: Resolution = "interval"
"""As finely as the series is read, such as half-hours."""


class Information(StrEnum):
    """What is known of the weather when a forecast is made. Demand up to the origin and the calendar are always known."""

    U = "U"
    """Nothing: temperatures of the training years serve to fit, none near the origin is looked at."""
    P = "P"
    """Temperatures up to the origin."""
    F = "F"
    """Those, and the weather forecast issued by the origin."""
    W = "W"
    """The temperatures that came: an upper bound that no service has."""


class Quantity(StrEnum):
    """What a series of readings measures."""

    DEMAND = "demand"
    TEMPERATURE = "temperature"
    HOLIDAY = "holiday"
    DEMAND_FORECAST = "demand_forecast"
    """What somebody else, such as the grid operator, forecast of this demand: a rival."""
    TEMPERATURE_FORECAST = "temperature_forecast"

    @property
    def unit(self) -> str:
        """Energy of the interval in MWh, air temperature in degrees Celsius, or a 0/1 flag."""
        if self in (Quantity.DEMAND, Quantity.DEMAND_FORECAST):
            return "MWh"
        return "flag" if self is Quantity.HOLIDAY else "C"

    @property
    def is_forecast(self) -> bool:
        """Known before its interval ends."""
        return self in (Quantity.DEMAND_FORECAST, Quantity.TEMPERATURE_FORECAST)

    @property
    def is_weather(self) -> bool:
        return self in (Quantity.TEMPERATURE, Quantity.TEMPERATURE_FORECAST)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of regular readings.

    `publication_delay` is how long after the end of an interval its reading is normally known; it dates readings whose source
    does not say when they became known. Demand has companions, other quantities of the same place in the same zone. Weather may
    come from another source, on a grid of its own.
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
        """The series of another quantity measured beside this demand series, on the same grid; itself for demand."""
        if quantity is Quantity.DEMAND:
            return self
        return replace(
            self,
            series_id=f"{self.demand_id}.{quantity}",
            name=f"{self.name}: {quantity}",
            quantity=quantity,
            companion_of=self.demand_id,
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
        SettingsError: see `parse_moment`; or a moment that has not come yet.
    """
    moment = parse_moment(text, zone) if text else now
    if moment > now:
        raise SettingsError(f"as-of {text} lies in the future", "leave --as-of out for now, or give a moment that has passed")
    return moment.astimezone(UTC)


def parse_moment(text: str, zone: ZoneInfo, option: str = "as-of") -> datetime:
    """The moment that a user means by `text`, in UTC.

    A bare date is the local midnight that begins it; with as-of, the last observed day is then the one before. A time needs an
    offset.

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
            raise SettingsError(f"{option} {text!r} has no offset from UTC", remedy)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError(f"{option} {text!r} is not a time", remedy) from None


Severity = Literal["page", "digest"]
"""Somebody must look now, or with the next digest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found in one watch.

    Args:
        rule: its name in `forecasting.rules.RULES`.
        series_id: a registered series; None for all of them together, or for the service itself.
        bad: None where it cannot be judged today, which changes nothing.
        since: since when it is bad, in the time of the data.
        message: what, and how bad, in one sentence.
        remedy: empty for that of the rule.
        score: how bad, for sorting: the larger the worse.
        picture: path of a PNG.
    """

    rule: str
    series_id: str | None
    bad: bool | None
    since: datetime
    severity: Severity
    message: str
    cause: str = ""
    remedy: str = ""
    score: float | None = None
    mlflow_run_id: str | None = None
    picture: str | None = None
    issue_id: int | None = None
