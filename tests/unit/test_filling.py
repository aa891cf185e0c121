"""Holes are filled by a rule that stands on the row; what was measured is never touched."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.filling import INTERPOLATED, MEASURED, fill_gaps
from tests.unit.builders import make_series

WEEK = pd.Timedelta(weeks=1)
SERIES = make_series()


def stretch(days: int = 40, first: str = "2014-01-01", zone: str = "Australia/Melbourne", minutes: int = 30) -> pd.DataFrame:
    """Readings that each tell their local time: week-before values can be recognised."""
    starts = pd.date_range(pd.Timestamp(first, tz=zone), periods=days * 1440 // minutes, freq=f"{minutes}min").tz_convert("UTC")
    local = starts.tz_convert(zone)
    value = 1000 + local.day_of_week * 100 + local.hour + local.minute / 100
    return pd.DataFrame({"interval_start": starts.as_unit("us"), "value": np.asarray(value, dtype=float)})


def without(frame: pd.DataFrame, *holes: tuple[int, int]) -> pd.DataFrame:
    keep = np.ones(len(frame), dtype=bool)
    for first, last in holes:
        keep[first:last] = False
    return frame[keep]


def test_whole_readings_stay_as_they_are() -> None:
    filled = fill_gaps(stretch(), SERIES)
    pd.testing.assert_frame_equal(filled[["interval_start", "value"]], stretch())
    assert set(filled["filled"]) == {MEASURED}


@pytest.mark.parametrize(("length", "rule"), [(1, INTERPOLATED), (4, INTERPOLATED), (5, "same time 1 weeks before")])
def test_a_hole_of_two_hours_is_a_straight_line_and_a_longer_one_the_week_before(length: int, rule: str) -> None:
    frame = stretch()
    filled = fill_gaps(without(frame, (1000, 1000 + length)), SERIES)
    hole = filled.iloc[1000 : 1000 + length]
    assert set(hole["filled"]) == {rule}
    if rule == INTERPOLATED:
        between = np.interp(np.arange(1, length + 1), [0, length + 1], frame["value"].iloc[[999, 1000 + length]])
        assert hole["value"].to_numpy() == pytest.approx(between)
    else:
        assert (hole["value"].to_numpy() == frame["value"].iloc[1000 : 1000 + length]).all(), "weekday and time of day are the same"


def test_a_hole_of_weeks_takes_the_nearest_week_that_was_read() -> None:
    filled = fill_gaps(without(stretch(), (15 * 48, 35 * 48)), SERIES)
    hole = filled[filled["filled"] != MEASURED]
    assert set(hole["filled"]) == {f"same time {weeks} weeks before" for weeks in (1, 2, 3)}
    pd.testing.assert_frame_equal(filled[["interval_start", "value"]], stretch())


def test_what_has_no_earlier_week_stays_a_hole() -> None:
    filled = fill_gaps(without(stretch(10), (48, 96)), SERIES)
    assert len(filled) == 9 * 48
    assert set(filled["filled"]) == {MEASURED}


@pytest.mark.parametrize(
    ("zone", "first", "change"),
    [
        ("Australia/Melbourne", "2014-03-10", "2014-04-06"),
        ("Australia/Melbourne", "2014-09-10", "2014-10-05"),
        ("Australia/Lord_Howe", "2014-03-10", "2014-04-06"),
        ("Australia/Lord_Howe", "2014-09-10", "2014-10-05"),
        ("America/Havana", "2014-02-10", "2014-03-09"),
    ],
)
def test_a_week_before_is_the_same_time_on_the_local_clock(zone: str, first: str, change: str) -> None:
    """The day of a change and the six after it, whose week before had other offsets from UTC."""
    frame, series = stretch(60, first, zone), make_series(zone=zone)
    local = pd.DatetimeIndex(frame["interval_start"]).tz_convert(zone)
    day = pd.Timestamp(change)
    hole = np.asarray((local.tz_localize(None) >= day) & (local.tz_localize(None) < day + pd.Timedelta(days=7)))
    filled = fill_gaps(frame[~hole], series).merge(frame, on="interval_start", suffixes=("", "_true"))
    taken = filled[filled["filled"].str.startswith("same time")]
    assert len(taken) >= hole.sum() - 2, "of a time that did not exist a week before there is nothing to take"
    assert (taken["value"] == taken["value_true"]).all()


@settings(deadline=None)
@given(holes=st.lists(st.tuples(st.integers(0, 1900), st.integers(1, 700)), max_size=4), backward=st.booleans())
def test_measured_values_are_untouched_and_nothing_is_invented(holes: list[tuple[int, int]], backward: bool) -> None:
    frame = without(stretch(), *[(first, first + length) for first, length in holes])
    filled = fill_gaps(frame[::-1] if backward else frame, SERIES)
    measured = filled[filled["filled"] == MEASURED]
    assert measured["interval_start"].tolist() == frame["interval_start"].tolist()
    assert measured["value"].tolist() == frame["value"].tolist()
    assert filled["interval_start"].is_unique
    assert (filled["interval_start"].diff().dropna() % SERIES.interval == timedelta(0)).all()
    if len(frame):
        assert filled["value"].min() >= frame["value"].min()
        assert filled["value"].max() <= frame["value"].max()


def test_a_fine_grid_is_filled_likewise() -> None:
    frame, series = stretch(20, minutes=5), make_series(minutes=5)
    filled = fill_gaps(without(frame, (4000, 4024), (5000, 5025)), series)
    assert filled["filled"].value_counts().to_dict() == {
        MEASURED: len(frame) - 49,
        INTERPOLATED: 24,
        "same time 1 weeks before": 25,
    }
    assert timedelta(hours=2) // series.interval == 24
