"""Each fault of the simulated feed, against the truth."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from forecasting.domain import Quantity
from forecasting.errors import SourceError
from forecasting.sources.simulated import SimulatedSource
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

SERIES = make_series("simulated", simulated=True, delay=timedelta(hours=1))
FIRST, LAST = utc("2014-01-01 00:00"), utc("2014-03-02 00:00")
LONG_AFTER = utc("2014-06-01 00:00")
EVERYTHING = {
    "late": 0.2, "corrected": 0.2, "missing": 0.1, "doubled": 0.1, "conflicting": 0.1, "spiked": 0.05, "frozen": 0.2, "scaled": 0.1
}  # fmt: skip


def delivered(until: datetime, since: datetime = FIRST, **faults: Any) -> pd.DataFrame:
    source = SimulatedSource(Web(), faults=faults)
    parts = [batch.readings for batch in source.read(SERIES, since, until) if batch.quantity is Quantity.DEMAND]
    return pd.concat(parts, ignore_index=True)


def within_period(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["interval_start"] < pd.Timestamp(LAST)].reset_index(drop=True)


def against_truth(until: datetime = LONG_AFTER, **faults: Any) -> pd.DataFrame:
    """Delivered and true value of each reading of the period; NaN where there is none."""
    truth = SimulatedSource(Web()).truth(SERIES, FIRST, LAST).set_index("interval_start")["value"]
    found = within_period(delivered(until, **faults)).set_index("interval_start")["value"]
    return pd.DataFrame({"true": truth, "given": found.reindex(truth.index)})


def days_of(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(frame.index).floor("D")


def test_without_faults_the_truth_is_delivered() -> None:
    both = against_truth()
    assert len(both) == 60 * 48
    assert (both["true"] == both["given"]).all()


def test_late_days_are_late_as_a_whole() -> None:
    counts = []
    for number in range(60):
        midnight = FIRST + timedelta(days=number)
        found = delivered(midnight + timedelta(hours=25), midnight, late=0.3, late_hours=48)["interval_start"]
        counts.append((found < pd.Timestamp(midnight + timedelta(days=1))).sum())
    assert set(counts) == {0, 48}
    assert counts.count(0) == pytest.approx(0.3 * 60, abs=8)
    complete = against_truth(late=0.3, late_hours=48)
    assert (complete["true"] == complete["given"]).all()


def test_a_late_reading_is_absent_until_its_hour_and_there_from_then_on() -> None:
    start, due = utc("2014-01-10 12:00"), utc("2014-01-10 13:30")
    for hours, is_there in ((0, False), (29.99, False), (30, True), (1000, True)):
        found = delivered(due + timedelta(hours=hours), late=1)
        assert (start in found["interval_start"].tolist()) is is_there


def test_a_corrected_reading_is_wrong_first_and_right_later() -> None:
    due = utc("2014-01-10 13:30")
    first, still, later = (
        delivered(due + timedelta(hours=hours), corrected=1).set_index("interval_start")["value"][pd.Timestamp("2014-01-10 12:00Z")]
        for hours in (0, 47.9, 48)
    )
    truth = against_truth()["true"][pd.Timestamp("2014-01-10 12:00Z")]
    assert later == truth
    assert first == still
    assert 0.01 <= abs(first / truth - 1) <= 0.05


def test_a_share_of_the_readings_is_corrected() -> None:
    both = against_truth(LAST + timedelta(hours=1), corrected=0.25, corrected_hours=24 * 365)
    wrong = both["true"] != both["given"]
    assert wrong.mean() == pytest.approx(0.25, abs=0.04)
    off = (both["given"] / both["true"] - 1)[wrong]
    assert off.abs().between(0.0099, 0.0501).all()
    assert (off > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_missing_readings_never_arrive() -> None:
    both = against_truth(missing=0.2)
    assert both["given"].isna().mean() == pytest.approx(0.2, abs=0.03)
    there = both.dropna()
    assert (there["true"] == there["given"]).all()


def test_doubled_readings_come_twice_and_conflicting_ones_differ() -> None:
    doubled = within_period(delivered(LONG_AFTER, doubled=0.3))
    again = doubled.duplicated()
    assert again.sum() == pytest.approx(0.3 * 2880, rel=0.15)
    assert doubled[~again]["interval_start"].is_unique
    conflicting = within_period(delivered(LONG_AFTER, conflicting=0.3))
    assert not conflicting.duplicated().any()
    pairs = (
        conflicting[conflicting["interval_start"].duplicated(keep=False)].groupby("interval_start")["value"].agg(["first", "last"])
    )
    assert len(pairs) == pytest.approx(0.3 * 2880, rel=0.15)
    assert (pairs["last"] / pairs["first"]).to_numpy() == pytest.approx(1.03, abs=1e-5)


def test_spiked_readings_are_five_times_too_large() -> None:
    both = against_truth(spiked=0.1)
    wrong = both[both["true"] != both["given"]]
    assert len(wrong) == pytest.approx(0.1 * 2880, rel=0.2)
    assert wrong["given"].to_numpy() == pytest.approx(5 * wrong["true"].to_numpy())


def test_scaled_days_come_in_kilowatt_hours() -> None:
    both = against_truth(scaled=0.3)
    ratio = (both["given"] / both["true"]).round(6)
    assert set(ratio) == {1.0, 1000.0}
    assert ratio.groupby(days_of(both)).nunique().eq(1).all()
    assert 0.1 < (ratio == 1000).mean() < 0.5


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_frozen_days_repeat_one_value_for_hours(hours: float) -> None:
    both = against_truth(frozen=0.5, frozen_hours=hours)
    run = (both["given"] != both["given"].shift()).cumsum()
    lengths = both.groupby(run)["given"].size()
    frozen_days = both[both["true"] != both["given"]].index.floor("D").unique()
    assert 15 < len(frozen_days) < 45
    assert lengths.max() == 2 * hours
    first = both.groupby(run).first()
    assert (first["true"] == first["given"]).all(), "a frozen stretch begins with a true value"


@given(
    seed=st.integers(0, 5), skip=st.integers(0, 300), length=st.integers(1, 300), until=st.integers(0, 200), share=st.floats(0, 1)
)
@settings(max_examples=60, deadline=None)
def test_what_is_delivered_of_an_interval_depends_only_on_the_moment(
    seed: int, skip: int, length: int, until: int, share: float
) -> None:
    source = SimulatedSource(Web(), seed=seed, faults={**dict.fromkeys(EVERYTHING, share), "missing": 0.1, "late_hours": 10})
    moment = utc("2014-04-01 00:00") + until * SERIES.interval
    since = moment - (skip + length) * SERIES.interval

    def read(start: datetime) -> pd.DataFrame:
        return next(iter(source.read(SERIES, start, moment))).readings

    whole, part = read(since), read(since + skip * SERIES.interval)
    same = whole[whole["interval_start"] >= since + skip * SERIES.interval].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, same)
    assert np.isfinite(part["value"]).all()


def test_all_faults_together_leave_most_readings_true() -> None:
    found = within_period(delivered(LONG_AFTER, **EVERYTHING))
    truth = SimulatedSource(Web()).truth(SERIES, FIRST, LAST)
    merged = found.drop_duplicates().merge(truth, on="interval_start")
    assert len(merged) == len(found.drop_duplicates())
    assert 0.5 < (merged["value_x"] == merged["value_y"]).mean() < 0.9


def test_temperature_and_holidays_stay_clean() -> None:
    clean = {batch.quantity: batch.readings for batch in SimulatedSource(Web()).read(SERIES, FIRST, LAST)}
    faulty = {batch.quantity: batch.readings for batch in SimulatedSource(Web(), faults=EVERYTHING).read(SERIES, FIRST, LAST)}
    for quantity in (Quantity.TEMPERATURE, Quantity.HOLIDAY):
        pd.testing.assert_frame_equal(clean[quantity], faulty[quantity])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("outage", "the simulated feed of series simulated cannot be reached on 2014-01-31; this outage is simulated"),
        ("renamed", "column demand_mwh is gone; its columns are interval_start, load_mwh"),
    ],
)
def test_the_feed_fails_on_a_share_of_the_days(fault: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        delivered(utc("2014-01-31 10:00"), **{fault: 1})
    good = 0
    for number in range(100):
        day, outcomes = FIRST + timedelta(days=number), set()
        for hour in (1, 23):
            try:
                delivered(day + timedelta(hours=hour), day - timedelta(days=1), **{fault: 0.3})
                outcomes.add(True)
            except SourceError:
                outcomes.add(False)
        assert len(outcomes) == 1, "the whole day is one or the other"
        good += outcomes.pop()
    assert 55 <= good <= 85


@pytest.mark.parametrize(
    "faults", [{"late": 1.1}, {"late_hours": 0}, {"frozen_hours": 25}, {"lost": 0.1}, {"spike_factor": float("inf")}]
)
def test_wrong_faults_are_refused(faults: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SimulatedSource(Web(), faults=faults)


def test_faults_differ_by_seed_and_series() -> None:
    other = make_series("simulated-north", simulated=True)
    gaps = [
        frozenset(
            next(iter(SimulatedSource(Web(), seed=seed, faults={"missing": 0.5}).read(series, FIRST, LAST))).readings[
                "interval_start"
            ]
        )
        for seed, series in ((0, SERIES), (1, SERIES), (0, other))
    ]
    assert len(set(gaps)) == 3
