"""Readings an hour early or late, on the real mornings of Victoria."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.drift import State
from forecasting.history import History
from forecasting.settings import ShiftSettings
from forecasting.watching.time_shift import judge_shift, votes_of
from tests.unit.builders import clock_history_of, seasonal_slots
from tests.unit.real import hourly, moved, victoria

SETTINGS = ShiftSettings()
REACH = 60
CLOCKS_CHANGE = ("2012-10-07", "2013-04-07", "2013-10-06", "2014-04-06", "2014-10-05")
"""First Sundays of October and April."""


@pytest.fixture(scope="module")
def vic(vic_csv: Path) -> History:
    return victoria(vic_csv)


def known(history: History, until: int) -> History:
    """The last weeks before a position."""
    return history.before(until).since(max(0, until - REACH))


def days_until_found(history: History, begin: int, hours: int) -> int:
    """How many moved days it takes."""
    off = moved(history, begin, hours)
    for days in range(1, 15):
        found = judge_shift(known(off, begin + days), SETTINGS)
        if found.state is State.DRIFTING:
            assert found.minutes == 60 * hours
            return days
    return 99


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("by_the_hour", [False, True])
def test_an_hour_early_or_late_is_found_within_days(vic: History, hours: int, by_the_hour: bool) -> None:
    history = hourly(vic) if by_the_hour else vic
    found = np.array([days_until_found(history, begin, hours) for begin in range(70, 1070, 53)])
    assert np.median(found) <= 3
    assert (found <= 5).mean() >= 0.9


@pytest.mark.parametrize("change", CLOCKS_CHANGE)
@pytest.mark.parametrize("hours", [1, -1])
def test_a_feed_that_ignores_a_clock_change_is_found(vic: History, change: str, hours: int) -> None:
    begin = int(vic.days.get_loc(change))
    assert days_until_found(vic, begin, hours) <= 4


@pytest.mark.parametrize("by_the_hour", [False, True])
def test_three_years_of_clock_changes_holidays_and_heat_are_no_shift(vic: History, by_the_hour: bool) -> None:
    history = hourly(vic) if by_the_hour else vic
    states = [judge_shift(known(history, until), SETTINGS).state for until in range(45, len(history) + 1)]
    assert State.DRIFTING not in states
    assert states.count(State.TOO_EARLY) == 0


def test_the_first_day_and_the_direction_are_told(vic: History) -> None:
    begin = int(vic.days.get_loc("2014-05-06"))
    found = judge_shift(known(moved(vic, begin, -1), begin + 6), SETTINGS)
    assert str(found) == "readings lie 60 minutes too early since 2014-05-06"


def test_a_shift_that_was_mended_is_over(vic: History) -> None:
    begin = int(vic.days.get_loc("2014-05-06"))
    off = moved(vic, begin, 1).demand_mwh.copy()
    off[begin + 3 :] = vic.demand_mwh[begin + 3 :]
    mended = clock_history_of(off, first="2012-01-01", series=vic.series)
    assert judge_shift(known(mended, begin + 3), SETTINGS).state is State.DRIFTING
    assert judge_shift(known(mended, begin + 5), SETTINGS).state is State.STEADY


def test_a_higher_level_moves_no_morning(vic: History) -> None:
    begin = int(vic.days.get_loc("2014-05-06"))
    more = vic.demand_mwh.copy()
    more[begin:] *= 1.6
    history = clock_history_of(more, first="2012-01-01", series=vic.series)
    assert {vote.minutes for vote in votes_of(known(history, begin + 7), SETTINGS)} == {0}


def test_holidays_and_filled_days_do_not_vote() -> None:
    history = clock_history_of(seasonal_slots(60, slots=48), first="2014-02-23", filled=[55])  # to 23 April
    voted = {vote.day for vote in votes_of(history, SETTINGS)}
    newest = {day.date() for day in history.days[-SETTINGS.reference_days[1] + 1 :]}
    good_friday, easter_monday, filled = date(2014, 4, 18), date(2014, 4, 21), history.days[55].date()
    assert newest - voted == {good_friday, easter_monday, filled}


def test_constant_demand_tells_nothing() -> None:
    history = clock_history_of(np.full((60, 48), 5.0))
    assert judge_shift(history, SETTINGS).state is State.STEADY


@given(st.integers(0, 10_000))
def test_demand_without_a_daily_course_tells_nothing(seed: int) -> None:
    noise = 50 + np.random.default_rng(seed).standard_normal((60, 48)).cumsum(axis=1)
    assert judge_shift(clock_history_of(noise), SETTINGS).state is State.STEADY


def test_a_young_series_is_too_early_to_judge(vic: History) -> None:
    assert judge_shift(vic.before(12), SETTINGS).state is State.TOO_EARLY
    assert vic.days[12] - vic.days[0] < timedelta(days=14)
