"""Whatever the order in which deliveries are stored, what was known when is the same, and is what the rule says."""

import itertools
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting.domain import Series
from forecasting.store import Store
from tests.conftest import Server
from tests.store.builders import HALF_HOUR, START, at, merge, series

INTERVALS, MOMENTS = 6, 12
CASES = 150
numbers = itertools.count()


@dataclass(frozen=True)
class Delivery:
    """What a feed gave when it was asked at a moment for a window: some of the intervals that were due."""

    as_of: int
    first: int
    last: int
    values: dict[int, float]

    def looked_for(self, interval: int) -> bool:
        return self.first <= interval and interval + 1 <= min(self.last, self.as_of)


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """On time, late, corrected, cut short; in any order, and some of them twice."""
    moments = draw(st.lists(st.integers(1, MOMENTS), min_size=2, max_size=4, unique=True))
    found = []
    for as_of in moments:
        first, last = sorted(draw(st.tuples(st.integers(0, INTERVALS), st.integers(0, INTERVALS))))
        due = range(first, min(last, as_of))
        values = {interval: float(draw(st.integers(1, 2))) for interval in due if draw(st.integers(0, 3))}
        found.append(Delivery(as_of, first, last, values))
    again = draw(st.lists(st.sampled_from(found), max_size=2))
    return draw(st.permutations(found + again))


def expected(given_: list[Delivery], interval: int, moment: int) -> float | None:
    """The value of an interval known at a moment, from the rule alone: what the last delivery by then said; the first one speaks
    from the end of the interval, unless somebody had looked before it and found nothing."""
    seen = sorted((delivery.as_of, delivery.values[interval]) for delivery in given_ if interval in delivery.values)
    if not seen:
        return None
    first = seen[0][0]
    in_vain = any(delivery.looked_for(interval) and delivery.as_of < first for delivery in given_)
    known = [(first if in_vain else min(interval + 1, first), seen[0][1]), *seen[1:]]
    return next((value for known_at, value in reversed(known) if known_at <= moment), None)


def known(store: Store, of: Series, moment: int) -> dict[int, float]:
    frame = store.readings.as_of(of, at(moment))
    return {round((start - START) / HALF_HOUR): value for start, value in zip(frame["interval_start"], frame["value"], strict=True)}


@pytest.mark.one_server
def test_any_order_of_arrival_ends_in_the_same_answers(store: Store, server: Server) -> None:
    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(deliveries())
    def check(arrived: list[Delivery]) -> None:
        own = replace(series(), series_id=f"case-{next(numbers)}")
        store.readings.register(own)
        for delivery in arrived:
            merge(store, own, delivery.values, delivery.as_of, delivery.first, delivery.last)
        for moment in range(MOMENTS + 1):
            told = {n: value for n in range(INTERVALS) if (value := expected(arrived, n, moment)) is not None}
            assert known(store, own, moment) == told, f"at moment {moment}"

    check()
