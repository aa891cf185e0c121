"""Local days on a UTC grid, and what is known of any day in advance. Pure functions, no clock."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pandas as pd

from forecasting.errors import SettingsError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_END = ((12, 22), (1, 7))
"""First and last (month, day) of the weeks around New Year, when offices and works close."""
YEAR_END_WEEKS = ((1220, 1224), (1227, 1231), (102, 104), (105, 108), (109, 112), (113, 117), (118, 124))
"""Stretches around New Year (month and day as one number) in which less and less is shut."""
NAMED_YEARS = range(2005, 2035)

FEATURES = (
    *(f"weekday_{name}" for name in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
    "holiday", "day_before_holiday", "day_after_holiday", "year_end",
    "year_sin", "year_cos",
)  # fmt: skip
CLOCK_FEATURES = tuple(f"day_{wave}_{k}" for k in (1, 2, 3) for wave in ("sin", "cos"))


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The UTC moment at which a local day begins.

    Where a clock change doubles midnight this is the first of the two; where it skips midnight, the first moment that exists
    (fold=0 resolves a skipped time with the offset before the change, PEP 495).
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end of a local day in UTC; 23, 24 or 25 hours apart."""
    return day_start(day, zone), day_start(day + timedelta(days=1), zone)


def grid_anchor(zone: ZoneInfo, interval: timedelta) -> datetime:
    """A moment at which an interval of a zone's grid starts (UTC).

    The grid is regular in UTC and lies on the local clock in standard time: hourly readings of India start at half past in UTC.
    """
    moment = datetime(2024, 1, 1, tzinfo=zone)
    offset, summer_time = moment.utcoffset(), moment.dst()
    assert offset is not None
    assert summer_time is not None
    return EPOCH - (offset - summer_time) % interval


def slots_a_day(interval: timedelta) -> int:
    """How many intervals the local clock of an ordinary day shows."""
    return timedelta(days=1) // interval


def clock_slots(starts: pd.DatetimeIndex, zone: ZoneInfo, interval: timedelta) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Where the local clock shows each interval: its day, as naive midnights, and its slot within the day, from 0 (int64).

    Args:
        starts: UTC.
    """
    local = starts.tz_convert(zone).tz_localize(None)
    days = local.normalize()
    return days, np.asarray((local - days) // interval, dtype=np.int64)


def clock_weights(days: pd.DatetimeIndex, zone: ZoneInfo, interval: timedelta) -> np.ndarray:
    """How many intervals of a zone's grid start in each slot of the local clock: 1, but 0 where a clock change skips a slot and 2
    where it doubles one. A row's sum is the number of intervals of that day.

    Args:
        days: consecutive naive midnights.

    Returns:
        int64 [days, slots a day].
    """
    anchor = grid_anchor(zone, interval)
    start, end = day_start(days[0].date(), zone), day_bounds(days[-1].date(), zone)[1]
    first = anchor - ((anchor - start) // interval) * interval
    starts = pd.date_range(first, end, freq=interval, inclusive="left")
    shown, slots = clock_slots(starts, zone, interval)
    width = slots_a_day(interval)
    place = np.asarray((shown - days[0]) // pd.Timedelta(days=1), dtype=np.int64) * width + slots
    return np.bincount(place, minlength=len(days) * width).reshape(len(days), width)


def local_days(index: pd.DatetimeIndex, zone: ZoneInfo) -> pd.DatetimeIndex:
    """The local day of each UTC moment, as naive midnights."""
    return index.tz_convert(zone).tz_localize(None).normalize()


@lru_cache(maxsize=64)
def public_holidays(region: str, years: tuple[int, ...]) -> frozenset[date]:
    """Public holidays of a region written as ISO 3166, with or without a subdivision: `AU-VIC`, `DE`.

    Raises:
        SettingsError: the holiday tables do not know the region.
    """
    country, _, subdivision = region.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=years))
    except NotImplementedError:
        raise SettingsError(
            f"no holiday calendar for region {region!r}", "write it as ISO 3166, such as AU-VIC, US-NY or DE"
        ) from None


@lru_cache(maxsize=64)
def named_holidays(region: str) -> tuple[str, ...]:
    """Names of the holidays that a region keeps in most years, in alphabetical order; not their observed stand-ins."""
    public_holidays(region, (NAMED_YEARS[0],))  # an unknown region is told in the same words
    country, _, subdivision = region.partition("-")
    found = Counter(
        name
        for year in NAMED_YEARS
        for name in {
            part
            for names in holidays.country_holidays(country, subdiv=subdivision or None, years=year).values()
            for part in names.split("; ")
        }
    )
    return tuple(sorted(name for name, years in found.items() if years >= len(NAMED_YEARS) // 3 and not name.endswith(")")))


def free_days(days: pd.DatetimeIndex, region: str) -> np.ndarray:
    """1 on weekends and public holidays, else 0: float64 [days].

    Raises:
        SettingsError: no such region.
    """
    closed = public_holidays(region, tuple(range(days[0].year, days[-1].year + 1)))
    free: np.ndarray = np.maximum(_flag(days, closed), np.asarray(days.day_of_week) >= 5)
    return free


class DemandFeatures(NamedTuple):
    """values: float64 [days, F]; shrinkage: how hard a regression should shrink each [F], 1 for an ordinary flag; seasonal: which
    are waves of the year [F]."""

    values: np.ndarray
    shrinkage: np.ndarray
    seasonal: np.ndarray


def demand_features(days: pd.DatetimeIndex, zone: ZoneInfo, region: str) -> DemandFeatures:
    """What of a day in advance moves demand: weekday, holidays by name, what lies beside them, the weeks around New Year, season,
    and whether clocks are forward.

    Raises:
        SettingsError: no such region.
    """
    years = tuple(range(days[0].year - 1, days[-1].year + 2))
    closed = public_holidays(region, years)
    country, _, subdivision = region.partition("-")
    kept = holidays.country_holidays(country, subdiv=subdivision or None, years=years)
    holiday = _flag(days, closed)
    open_ = 1 - holiday
    weekday = np.asarray(days.day_of_week)
    before, after = (_flag(days + pd.Timedelta(days=shift), closed) * open_ for shift in (1, -1))
    bridge = (((weekday == 0) & (before > 0)) | ((weekday == 4) & (after > 0))) * open_
    free = free_days(days, region)
    number = np.asarray(days.month * 100 + days.day)
    shut = [((number >= first) & (number <= last)) * open_ for first, last in YEAR_END_WEEKS]
    angle = 2 * np.pi * (np.asarray(days.day_of_year) - 1) / 365.25
    waves = [wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos)]
    named = [[name in kept.get(day.date(), "").split("; ") for day in days] for name in named_holidays(region)]
    noons = [datetime.combine(day.date(), time(12), zone).dst() for day in days]
    groups: list[tuple[float, list[np.ndarray]]] = [
        (0.3, [*(np.eye(7)[weekday] * open_[:, None]).T, holiday]),
        (1.0, [np.array(each, dtype=float) for each in named]),
        (3.0, [before, after, bridge]),
        (2.0, [*(each * (free == 0) for each in shut), np.minimum(1, sum(shut[:4])) * free]),
        (1.0, [np.array([bool(shift) for shift in noons], dtype=float)]),
        (0.3, waves),
        (2.0, [free * wave for wave in waves[:2]]),
    ]
    columns = [column for _, each in groups for column in each]
    seasonal = np.arange(len(columns)) >= len(columns) - len(groups[-1][1]) - len(waves)
    return DemandFeatures(
        np.column_stack(columns).astype(float), np.array([weight for weight, each in groups for _ in each]), seasonal
    )


def day_features(days: pd.DatetimeIndex, region: str) -> np.ndarray:
    """What is known of each local day in advance.

    A holiday switches its weekday off: it behaves as its own kind of day.

    Returns:
        float32 [len(days), len(FEATURES)]
    """
    years = tuple(range(days[0].year - 1, days[-1].year + 2))
    closed = public_holidays(region, years)
    holiday = _flag(days, closed)
    weekdays = np.eye(7)[days.day_of_week] * (1 - holiday)[:, None]
    angle = 2 * np.pi * (days.day_of_year.to_numpy() - 1) / 365.25
    columns = [
        holiday,
        _flag(days + pd.Timedelta(days=1), closed),
        _flag(days - pd.Timedelta(days=1), closed),
        ((days.month == 12) & (days.day >= YEAR_END[0][1])) | ((days.month == 1) & (days.day <= YEAR_END[1][1])),
        np.sin(angle),
        np.cos(angle),
    ]
    return np.column_stack([weekdays, *columns]).astype(np.float32)


def clock_features(day_features: np.ndarray, slots: int) -> np.ndarray:
    """The features of each slot of the local clock: those of its day, then CLOCK_FEATURES.

    Args:
        day_features: [days, features].

    Returns:
        float32 [days * slots, features + len(CLOCK_FEATURES)].
    """
    angle = 2 * np.pi * np.arange(slots) / slots
    waves = np.column_stack([wave(k * angle) for k in (1, 2, 3) for wave in (np.sin, np.cos)])
    return np.column_stack([np.repeat(day_features, slots, axis=0), np.tile(waves, (len(day_features), 1))]).astype(np.float32)


def _flag(days: Iterable[pd.Timestamp], chosen: frozenset[date]) -> np.ndarray:
    return np.array([day.date() in chosen for day in days], dtype=float)
