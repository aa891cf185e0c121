from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.errors import SettingsError
from tests.unit.builders import MELBOURNE, utc

HALF_HOUR = timedelta(minutes=30)
ZONES = (
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Australia/Melbourne",
    "Europe/Berlin",
    "UTC",
)


def clock_changes(zone: ZoneInfo) -> list[date]:
    """Every day from 2000 to 2030 whose noon has another offset than the noon before."""
    noons = [datetime(2000, 1, 1, 12, tzinfo=zone) + timedelta(days=n) for n in range(31 * 366)]
    return [noon.date() for before, noon in pairwise(noons) if before.utcoffset() != noon.utcoffset()]


CHANGES = [(day, ZoneInfo(zone)) for zone in ZONES for day in clock_changes(ZoneInfo(zone))]
days = st.dates(date(1985, 1, 1), date(2037, 12, 31))
places = st.one_of(st.tuples(days, st.sampled_from(ZONES).map(ZoneInfo)), st.sampled_from(CHANGES))


def feature(name: str, day: str, region: str = "AU-VIC") -> float:
    row = calendar.day_features(pd.DatetimeIndex([day]), region)[0]
    return float(row[calendar.FEATURES.index(name)])


@pytest.mark.parametrize(
    ("zone", "day", "half_hours"),
    [
        ("Australia/Melbourne", "2014-04-05", 48),
        ("Australia/Melbourne", "2014-04-06", 50),
        ("Australia/Melbourne", "2014-10-05", 46),
        ("Australia/Lord_Howe", "2014-04-06", 49),
        ("Australia/Lord_Howe", "2014-10-05", 47),
        ("America/Havana", "2014-03-09", 46),  # its midnight does not exist
        ("America/Havana", "2014-11-02", 50),  # it has two
        ("America/New_York", "2014-03-09", 46),
        ("America/New_York", "2014-11-02", 50),
        ("Europe/Berlin", "2014-03-30", 46),
        ("Europe/Berlin", "2014-10-26", 50),
        ("UTC", "2014-10-26", 48),
    ],
)
def test_a_day_has_as_many_half_hours_as_its_clock_shows(zone: str, day: str, half_hours: int) -> None:
    assert calendar.clock_weights(pd.DatetimeIndex([day]), ZoneInfo(zone), HALF_HOUR).sum() == half_hours
    start, end = calendar.day_bounds(date.fromisoformat(day), ZoneInfo(zone))
    assert end - start == half_hours * HALF_HOUR


def test_bounds_around_a_skipped_and_a_doubled_midnight() -> None:
    havana = ZoneInfo("America/Havana")
    assert calendar.day_bounds(date(2014, 3, 9), havana) == (utc("2014-03-09 05:00"), utc("2014-03-10 04:00"))
    assert calendar.day_bounds(date(2014, 11, 2), havana) == (utc("2014-11-02 04:00"), utc("2014-11-03 05:00"))


@given(places)
def test_days_tile_time(place: tuple[date, ZoneInfo]) -> None:
    day, zone = place
    start, end = calendar.day_bounds(day, zone)
    assert start < end
    assert calendar.day_bounds(day + timedelta(days=1), zone)[0] == end
    assert calendar.day_bounds(day - timedelta(days=1), zone)[1] == start


@given(places)
def test_every_moment_between_its_bounds_belongs_to_the_day(place: tuple[date, ZoneInfo]) -> None:
    day, zone = place
    start, end = calendar.day_bounds(day, zone)
    second = timedelta(seconds=1)
    moments = pd.DatetimeIndex([start - second, start, start + (end - start) / 2, end - second, end])
    expected = [day - timedelta(days=1), day, day, day, day + timedelta(days=1)]
    assert calendar.local_days(moments, zone).date.tolist() == expected


@given(place=places, minutes=st.sampled_from([5, 15, 30, 60, 120, 360, 1440]))
def test_the_weights_of_a_day_count_the_interval_starts_that_fall_into_it(place: tuple[date, ZoneInfo], minutes: int) -> None:
    day, zone = place
    interval = timedelta(minutes=minutes)
    around = datetime.combine(day, time(), UTC) - timedelta(days=2)
    first = around - (around - calendar.grid_anchor(zone, interval)) % interval
    grid = pd.date_range(first, periods=5 * 1440 // minutes, freq=interval)
    counted = int((calendar.local_days(grid, zone) == pd.Timestamp(day)).sum())
    assert calendar.clock_weights(pd.DatetimeIndex([day]), zone, interval).sum() == counted


@pytest.mark.parametrize(
    ("zone", "minutes", "first"),
    [
        (MELBOURNE, 60, "00:00"),
        ("Asia/Kolkata", 60, "00:30"),
        ("Asia/Kolkata", 30, "00:00"),
        ("Asia/Kathmandu", 60, "00:15"),
        ("Australia/Lord_Howe", 60, "00:30"),
        (MELBOURNE, 1440, "14:00"),
    ],
)
def test_a_grid_lies_on_the_local_clock_in_standard_time(zone: str, minutes: int, first: str) -> None:
    anchor = calendar.grid_anchor(ZoneInfo(zone), timedelta(minutes=minutes))
    midnight = datetime(2024, 7, 1, tzinfo=UTC)
    assert f"{midnight + (anchor - midnight) % timedelta(minutes=minutes):%R}" == first


def test_local_days_are_naive_midnights() -> None:
    moments = pd.DatetimeIndex(["2014-04-05T12:59Z", "2014-04-05T13:00Z", "2014-04-06T13:59Z", "2014-04-06T14:00Z"])
    found = calendar.local_days(moments, ZoneInfo(MELBOURNE))
    assert found.tz is None
    assert found.strftime("%F %T").tolist() == [f"2014-04-{day} 00:00:00" for day in ("05", "06", "06", "07")]


def test_features_have_a_column_for_each_name() -> None:
    found = calendar.day_features(pd.date_range("2013-12-20", "2014-01-10"), "AU-VIC")
    assert found.shape == (22, len(calendar.FEATURES))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("weekday_mon", "2014-02-03", 1),
        ("weekday_mon", "2014-02-04", 0),
        ("weekday_sun", "2014-02-02", 1),
        ("holiday", "2014-12-25", 1),
        ("holiday", "2014-12-24", 0),
        ("day_before_holiday", "2014-12-24", 1),
        ("day_after_holiday", "2014-12-27", 1),
        ("day_after_holiday", "2014-12-28", 0),
        ("day_before_holiday", "2013-12-31", 1),  # the holiday lies in another year
        ("day_after_holiday", "2014-01-02", 1),
        ("year_end", "2014-12-21", 0),
        ("year_end", "2014-12-22", 1),
        ("year_end", "2015-01-07", 1),
        ("year_end", "2015-01-08", 0),
        ("year_sin", "2014-01-01", 0),
        ("year_cos", "2014-01-01", 1),
    ],
)
def test_feature_of_a_known_day(name: str, day: str, expected: float) -> None:
    assert feature(name, day) == expected


def test_a_holiday_has_no_weekday() -> None:
    features = calendar.day_features(pd.date_range("2014-01-01", "2014-12-31"), "AU-VIC")
    holiday, weekdays = features[:, calendar.FEATURES.index("holiday")], features[:, :7]
    assert 8 <= holiday.sum() <= 16
    np.testing.assert_array_equal(weekdays.sum(axis=1), 1 - holiday)


def test_features_of_a_day_do_not_depend_on_the_days_around_it() -> None:
    together = calendar.day_features(pd.date_range("2013-12-25", "2014-01-05"), "AU-VIC")
    alone = [calendar.day_features(pd.DatetimeIndex([day]), "AU-VIC")[0] for day in pd.date_range("2013-12-25", "2014-01-05")]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_holidays_differ_by_subdivision() -> None:
    assert feature("holiday", "2014-11-04", "AU-VIC") == 1  # Melbourne Cup
    assert feature("holiday", "2014-11-04", "AU-NSW") == 0


@pytest.mark.parametrize("region", ["XX", "AU-XYZ", "nowhere", ""])
def test_an_unknown_region_is_a_settings_error(region: str) -> None:
    with pytest.raises(SettingsError, match=f"{region!r}.*ISO 3166"):
        calendar.day_features(pd.DatetimeIndex(["2014-01-01"]), region)


def demand_feature_count(region: str, zone: str) -> int:
    return calendar.demand_features(pd.date_range("2014-01-01", periods=2), ZoneInfo(zone), region).values.shape[1]


@pytest.mark.parametrize(("region", "zone"), [("AU-VIC", MELBOURNE), ("DE", "Europe/Berlin"), ("US-TX", "America/Chicago")])
def test_demand_features_are_flags_and_waves_with_a_shrinkage_each(region: str, zone: str) -> None:
    days = pd.date_range("2013-01-01", "2014-12-31")
    found = calendar.demand_features(days, ZoneInfo(zone), region)
    assert found.values.shape == (len(days), len(found.shrinkage)) == (730, demand_feature_count(region, zone))
    assert (found.shrinkage > 0).all()
    assert found.seasonal.sum() == 6
    assert set(np.unique(found.values[:, ~found.seasonal])) == {0.0, 1.0}
    assert np.abs(found.values).max() <= 1
    alone = [calendar.demand_features(pd.DatetimeIndex([day]), ZoneInfo(zone), region).values[0] for day in days[350:370]]
    np.testing.assert_array_equal(found.values[350:370], np.stack(alone))


def test_holidays_are_told_apart_by_name() -> None:
    names = calendar.named_holidays("AU-VIC")
    assert {"Christmas Day", "Good Friday", "ANZAC Day", "Melbourne Cup Day"} <= set(names)
    assert not any("observed" in name for name in names)
    days = pd.DatetimeIndex(["2014-12-25", "2014-04-18", "2014-04-25", "2014-11-04"])
    flags = calendar.demand_features(days, ZoneInfo(MELBOURNE), "AU-VIC").values[:, 8 : 8 + len(names)]
    for row, name in zip(flags, ("Christmas Day", "Good Friday", "ANZAC Day", "Melbourne Cup Day"), strict=True):
        assert row[names.index(name)] == 1


def test_summer_time_is_among_the_demand_features() -> None:
    days = pd.DatetimeIndex(["2014-04-05", "2014-04-06", "2014-10-04", "2014-10-05"])
    found = calendar.demand_features(days, ZoneInfo(MELBOURNE), "AU-VIC")
    forward = found.values[:, np.flatnonzero(~found.seasonal)[-1]]
    assert forward.tolist() == [1, 0, 0, 1], "what holds at noon"


def test_demand_features_of_an_unknown_region_are_refused() -> None:
    with pytest.raises(SettingsError, match="'XX'"):
        calendar.demand_features(pd.DatetimeIndex(["2014-01-01"]), ZoneInfo("UTC"), "XX")


def test_weekends_and_public_holidays_are_free() -> None:
    days = pd.date_range("2013-12-30", "2014-01-05")  # Monday to Sunday; New Year is the Wednesday
    assert calendar.free_days(days, "AU-VIC").tolist() == [0, 0, 1, 0, 0, 1, 1]
