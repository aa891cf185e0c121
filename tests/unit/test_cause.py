"""What ails a feed, and why a loss has risen."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.domain import Quantity
from forecasting.drift import State
from forecasting.errors import SourceError
from forecasting.frames import Batch, rejected_frame
from forecasting.quality import Inspector
from forecasting.settings import DriftSettings
from forecasting.usual import learn
from forecasting.watching.cause import Cause, Evidence, InCharge, causes, likely_cause
from forecasting.watching.feed import Fault, Trouble, troubles
from forecasting.watching.inputs import Input, Moved
from forecasting.watching.realised import NAIVE, Realised
from forecasting.watching.scan import Rise
from forecasting.watching.time_shift import Shift
from tests.unit.builders import make_series, utc

SETTINGS = DriftSettings()
SINCE = date(2014, 6, 10)
STEADY, EARLY = Rise(State.STEADY, 0.02, 0.4, SINCE, 63), Rise(State.TOO_EARLY)
HIGH = Rise(State.DRIFTING, 0.62, 6.1, SINCE, 63)
MODEL = InCharge("weather_paths", 41, SINCE + timedelta(days=1))
BEGIN = utc("2014-03-01 00:00")
DAY = 48


def readings(days: int = 40) -> pd.DataFrame:
    """Half-hours of a lively series."""
    count = days * DAY
    wave = np.sin(2 * np.pi * np.arange(count) / DAY)
    value = 5000 + 900 * wave + 40 * np.random.default_rng(1).standard_normal(count)
    return pd.DataFrame({"interval_start": pd.date_range(BEGIN, periods=count, freq="30min", unit="us"), "value": value})


def inspected(values: pd.Series) -> Counter[str]:
    """Quarantine reasons of the last three days, whose readings are replaced."""
    series, table = make_series(), readings()
    before, newest = table[: -3 * DAY], table[-3 * DAY :].assign(value=values.to_numpy())
    end = newest["interval_start"].iloc[-1].to_pydatetime() + series.interval
    inspector = Inspector(series, learn(before, series), before[-DAY:], newest["interval_start"].iloc[0].to_pydatetime(), end, end)
    told = [inspector.inspect(Batch(Quantity.DEMAND, newest, rejected_frame())), inspector.finish()]
    return Counter(reason for batch in told for reason in batch.rejected["reason"])


def test_a_feed_that_the_inspector_finds_frozen_is_told_as_frozen() -> None:
    value = readings()["value"][-3 * DAY :].copy()
    value.iloc[40:90] = 5123.0
    (found,) = troubles(inspected(value), 3 * DAY, SETTINGS.feed)
    assert (found.fault, found.rows) == (Fault.FROZEN, 49)
    assert "demand: the feed is frozen" in found.sentence
    assert "49 of 144 readings" in found.sentence


def test_a_scale_that_the_inspector_finds_wrong_is_told_as_scale_by_rows_and_by_refusals() -> None:
    value = readings()["value"][-3 * DAY :].copy()
    some = value.copy()
    some.iloc[100:] *= 1000
    (found,) = troubles(inspected(some), 3 * DAY, SETTINGS.feed)
    assert (found.fault, found.rows) == (Fault.SCALE, 44)
    with pytest.raises(SourceError, match="thousandfold") as refused:
        inspected(value * 1000)
    (found,) = troubles({}, 3 * DAY, SETTINGS.feed, [refused.value.problem])
    assert (found.fault, found.refusals) == (Fault.SCALE, 1)
    assert found.sentence == "demand: values about 1000 times too large or too small (1 batch refused whole)"


def test_a_few_bad_readings_are_no_fault_of_the_feed() -> None:
    value = readings()["value"][-3 * DAY :].copy()
    value.iloc[[20, 70]] = np.nan
    assert inspected(value) == {"not a finite number": 2}
    assert troubles(inspected(value), 3 * DAY, SETTINGS.feed) == []


def test_reasons_of_one_kind_add_up_and_a_refusal_goes_first() -> None:
    counts = {"far from the usual 1 to 2 MWh": 4, "outside 0 to 1e+07 MWh": 5, "off the 0:30:00 grid": 3}
    found = troubles(counts, 144, SETTINGS.feed, ["the page answers with status 500"], of="temperature")
    assert [(each.fault, each.rows) for each in found] == [(Fault.REFUSED, 0), (Fault.RANGE, 9)]
    assert all(each.sentence.startswith("temperature: ") for each in found)


def against(**found: Rise) -> Realised:
    return Realised(found)


def cause(evidence: Evidence) -> tuple[Cause, str]:
    found = likely_cause(evidence, SETTINGS)
    assert found is not None
    assert found.remedy
    return found.cause, found.sentence


def test_nothing_amiss_has_no_cause() -> None:
    assert likely_cause(Evidence(), SETTINGS) is None
    assert likely_cause(Evidence(against(predecessor=STEADY, weekly_naive=EARLY), MODEL), SETTINGS) is None


def test_a_new_model_that_is_worse_than_the_one_before_since_it_began() -> None:
    kind, sentence = cause(Evidence(against(predecessor=HIGH, weekly_naive=STEADY), MODEL))
    assert kind is Cause.MODEL
    assert sentence == (
        "the model: version 41 (weather_paths) is worse than predecessor since its first forecasts on 2014-06-11: "
        "loss beside predecessor on the same days up 62%"
    )
    told = likely_cause(Evidence(against(predecessor=HIGH), MODEL), SETTINGS)
    assert told is not None
    assert "rollback" in told.remedy


def test_an_old_model_that_got_worse_alone_is_not_put_down_to_its_beginning() -> None:
    old = replace(MODEL, since=SINCE - timedelta(days=90))
    kind, sentence = cause(Evidence(against(two_stage_ridge=HIGH, weekly_naive=HIGH), old))
    assert kind is Cause.MODEL
    assert "in charge since 2014-03-12, is worse than two_stage_ridge since 2014-06-10" in sentence
    assert "first forecasts" not in sentence


def test_the_most_telling_yardstick_is_named() -> None:
    _, sentence = cause(Evidence(against(two_stage_ridge=HIGH, predecessor=replace(HIGH, z=12.0)), MODEL))
    assert "worse than predecessor" in sentence


def test_every_forecaster_got_worse_is_demand_and_says_how_it_moved() -> None:
    everyone = against(predecessor=STEADY, two_stage_ridge=STEADY, weekly_naive=HIGH)
    kind, sentence = cause(Evidence(everyone, MODEL))
    assert kind is Cause.DEMAND
    assert sentence.startswith("demand changed: every forecaster got worse, predecessor, two_stage_ridge as well")
    moved = Moved(Input.DEMAND, State.DRIFTING, -0.21, -2.0, 0.0, 0.6)
    kind, sentence = cause(Evidence(everyone, MODEL, moved=[moved]))
    assert "daily demand: -21%" in sentence
    warm = replace(moved, of=Input.TEMPERATURE, distance=8.0)
    assert cause(Evidence(everyone, MODEL, moved=[warm]))[0] is Cause.WEATHER


@pytest.mark.parametrize("known", [{}, {"predecessor": EARLY}])
def test_weekly_naive_alone_cannot_tell_the_model_from_demand(known: dict[str, Rise]) -> None:
    kind, sentence = cause(Evidence(Realised({NAIVE: HIGH, **known}), MODEL))
    assert kind is Cause.UNKNOWN
    assert "up 62% since 2014-06-10" in sentence


FROZEN = Trouble(Fault.FROZEN, 40, 0, "demand: the feed is frozen", "ask")
SHIFTED = Shift(State.DRIFTING, 60, SINCE)


@pytest.mark.parametrize(
    ("evidence", "expected", "word"),
    [
        (Evidence(shift=SHIFTED), Cause.TIME_SHIFT, "60 minutes too late since 2014-06-10"),
        (Evidence(troubles=[FROZEN]), Cause.FROZEN, "frozen"),
        (Evidence(troubles=[replace(FROZEN, fault=Fault.SCALE)]), Cause.SCALE, "demand"),
        (Evidence(troubles=[replace(FROZEN, fault=Fault.DOUBLED)]), Cause.QUARANTINE, "demand"),
        (Evidence(stale_hours=30.2), Cause.STALE, "30 hours older"),
        (Evidence(temperature_missing=0.5), Cause.TEMPERATURE, "50%"),
        (Evidence(fallback_share=0.4), Cause.FALLBACK, "40%"),
    ],
)
def test_faults_of_data_and_serving_are_told_before_the_model_and_without_a_rise(
    evidence: Evidence, expected: Cause, word: str
) -> None:
    assert cause(evidence)[0] is expected
    worse = replace(evidence, realised=against(predecessor=HIGH, weekly_naive=HIGH), in_charge=MODEL)
    kind, sentence = cause(worse)
    assert kind is expected
    assert word in sentence
    assert [each.cause for each in causes(worse, SETTINGS)] == [expected, Cause.MODEL]


def test_inputs_that_moved_are_told_even_while_no_loss_has_risen() -> None:
    moved = Moved(Input.SHAPE, State.DRIFTING, 0.05)
    kind, sentence = cause(Evidence(against(weekly_naive=STEADY), moved=[moved, replace(moved, state=State.STEADY)]))
    assert (kind, sentence) == (Cause.DEMAND, "inputs moved: shape of the day: 5.0% of the energy lies in other hours than usual")
