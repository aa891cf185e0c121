"""Are readings marked an hour early or late since some day? The morning tells: people rise by the clock, whatever the weather.

The steps of demand between the slots of a morning are laid over the median steps of mornings of the same kind of day some weeks
before, moved by every lag; the lag that fits best, where it fits clearly better than none, is the day's vote. A clock change is no
shift, since days are laid out on the local clock; on the Sunday itself people follow the old clock for a day, so votes of free days
alone do not count. Hot-water relays and the like, which keep standard time all year, switch at night and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from forecasting import calendar
from forecasting.drift import State
from forecasting.history import History
from forecasting.settings import ShiftSettings

HOLIDAY, WORKING_DAY = -1, 0
KINDS = np.array([WORKING_DAY] * 5 + [1, 2])
"""Working days rise alike; Saturdays and Sundays each in their own way."""


@dataclass(frozen=True, slots=True)
class Shift:
    """minutes: how much later readings lie on the local clock than they used to, negative for earlier; since: the first day of
    those that say so. Both are empty unless the state is drifting."""

    state: State
    minutes: int | None = None
    since: date | None = None

    def __str__(self) -> str:
        if self.minutes is None or self.since is None:
            return f"{self.state}: time of day"
        return f"readings lie {abs(self.minutes)} minutes too {'late' if self.minutes > 0 else 'early'} since {self.since:%F}"


@dataclass(frozen=True, slots=True)
class Vote:
    """The lag of one day, 0 for none."""

    day: date
    minutes: int
    working: bool

    @property
    def sign(self) -> int:
        return (self.minutes > 0) - (self.minutes < 0)


def judge_shift(history: History, settings: ShiftSettings) -> Shift:
    """Judge the newest days of a history by their mornings.

    Raises:
        SettingsError: no holiday table for the region of the series.
    """
    votes = votes_of(history, settings)
    if len(votes) < settings.needed:
        return Shift(State.TOO_EARLY)
    newest = votes[-settings.recent :]
    for sign in (1, -1):
        agreed = [vote for vote in newest if vote.sign == sign]
        if len(agreed) >= settings.needed and any(vote.working for vote in agreed):
            run = _run(votes, sign)
            lags = [vote.minutes for vote in run]
            return Shift(State.DRIFTING, max(sorted(lags, key=abs), key=lags.count), run[0].day)
    return Shift(State.STEADY)


def votes_of(history: History, settings: ShiftSettings) -> list[Vote]:
    """Votes of the newest days, oldest first: of as many days as are no reference of the newest. Holidays, filled days, and days
    with too few of their kind before them do not vote."""
    days = history.days
    weekend = np.asarray(days.day_of_week) >= 5
    kinds = np.where((calendar.free_days(days, history.series.region) > 0) & ~weekend, HOLIDAY, KINDS[days.day_of_week])
    usable = (kinds != HOLIDAY) & ~history.filled
    steps = np.diff(history.demand_mwh, axis=1, prepend=history.demand_mwh[:, :1])
    steps /= np.maximum(np.abs(history.demand_mwh).mean(axis=1, keepdims=True), 1e-12)
    oldest, newest = settings.reference_days
    votes = []
    for at in range(max(0, len(days) - newest + 1), len(days)):
        before = np.arange(max(0, at - oldest), max(0, at - newest + 1))
        alike = before[usable[before] & (kinds[before] == kinds[at])]
        if usable[at] and len(alike) >= settings.min_alike:
            minutes = _lag(steps[at], np.median(steps[alike], axis=0), settings)
            votes.append(Vote(days[at].date(), minutes, bool(kinds[at] == WORKING_DAY)))
    return votes


def _lag(steps: np.ndarray, usual: np.ndarray, settings: ShiftSettings) -> int:
    """Minutes by which the morning of `steps` [slots] lies later than that of `usual` [slots]; 0 where no lag fits well, or clearly
    better than none. Each lag may stretch the usual morning: cold ones are steeper."""
    an_hour = len(steps) / 24
    first, last = (round(hour * an_hour) for hour in (settings.from_hour, settings.to_hour))
    most = round(settings.most_hours * an_hour)
    morning = steps[first:last]
    left = []
    for lag in range(-most, most + 1):
        moved = usual[first - lag : last - lag]
        power = float(moved @ moved)
        stretch = max(float(morning @ moved) / power, 0.0) if power > 0 else 0.0
        left.append(float(((morning - stretch * moved) ** 2).sum()))
    best = int(np.argmin(left)) - most
    clear = left[best + most] < (1 - settings.min_gain) * left[most]
    fits = left[best + most] < (1 - settings.min_fit) * float(morning @ morning)
    return round(best * 60 / an_hour) if clear and fits else 0


def _run(votes: Sequence[Vote], sign: int) -> list[Vote]:
    """The newest votes of one sign, back to where two others in a row stand before them."""
    found: list[Vote] = []
    others = 0
    for vote in reversed(votes):
        if vote.sign == sign:
            found, others = [vote, *found], 0
        elif (others := others + 1) > 1:
            break
    return found
