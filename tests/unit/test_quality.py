"""What is believed, what is not, and why; and that nothing is lost on the way."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.domain import Quantity, Series
from forecasting.errors import SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.quality import Inspector
from forecasting.usual import Usual, learn
from tests.unit.builders import make_series, utc

SERIES = make_series()
UNTIL = utc("2014-01-02 00:00")
SINCE, NOW = utc("2000-01-01 00:00"), utc("2030-01-01 00:00")
NOTHING = readings_frame(pd.DatetimeIndex([], tz="UTC"), np.empty(0))
Rows = list[tuple[str, float]]


def inspected(
    batches: Sequence[Batch],
    series: Series = SERIES,
    usual: Usual | None = None,
    before: pd.DataFrame = NOTHING,
    since: datetime = SINCE,
    until: datetime = UNTIL,
    now: datetime = NOW,
    may_be_negative: bool = False,
) -> Batch:
    """All that one ingest accepts and rejects."""
    inspector = Inspector(series, usual, before, since, until, now, may_be_negative=may_be_negative)
    parts = [*(inspector.inspect(batch) for batch in batches), inspector.finish()]
    return Batch(
        series.quantity,
        pd.concat([part.readings for part in parts], ignore_index=True),
        pd.concat([part.rejected for part in parts], ignore_index=True),
    )


def checked(batch: Batch, series: Series, until: datetime) -> Batch:
    return inspected([batch], series, until=until)


def make_batch(rows: Rows, quantity: Quantity = Quantity.DEMAND, rejected: pd.DataFrame | None = None) -> Batch:
    starts = pd.DatetimeIndex([pd.Timestamp(time, tz="UTC") for time, _ in rows], dtype="datetime64[us, UTC]")
    frame = readings_frame(starts, np.array([value for _, value in rows]))
    return Batch(quantity, frame, rejected_frame() if rejected is None else rejected)


def check(rows: Rows, quantity: Quantity = Quantity.DEMAND) -> tuple[Rows, list[str]]:
    """The rows that pass, and the reasons of those that do not."""
    found = checked(make_batch(rows, quantity), SERIES.companion(quantity), UNTIL)
    times = found.readings["interval_start"].dt.strftime("%F %R")
    return list(zip(times, found.readings["value"], strict=True)), found.rejected["reason"].tolist()


def test_good_rows_pass_in_order_of_time() -> None:
    good, reasons = check([("2014-01-01 01:00", 2.0), ("2014-01-01 00:30", 1.0)])
    assert good == [("2014-01-01 00:30", 1.0), ("2014-01-01 01:00", 2.0)]
    assert reasons == []


@pytest.mark.parametrize(
    ("quantity", "time", "value", "reason"),
    [
        (Quantity.DEMAND, "2014-01-01 01:00", math.nan, "not a finite number"),
        (Quantity.DEMAND, "2014-01-01 01:00", math.inf, "not a finite number"),
        (Quantity.DEMAND, "2014-01-01 01:00", -math.inf, "not a finite number"),
        (Quantity.DEMAND, "2014-01-01 01:00", -0.001, "outside 0 to 1e+07 MWh"),
        (Quantity.DEMAND, "2014-01-01 01:00", 1.1e7, "outside 0 to 1e+07 MWh"),
        (Quantity.TEMPERATURE, "2014-01-01 01:00", -90.1, "outside -90 to 70 C"),
        (Quantity.TEMPERATURE, "2014-01-01 01:00", 71.0, "outside -90 to 70 C"),
        (Quantity.HOLIDAY, "2014-01-01 01:00", 2.0, "outside 0 to 1 flag"),
        (Quantity.DEMAND, "2014-01-01 01:15", 5.0, "off the 0:30:00 grid"),
        (Quantity.DEMAND, "2014-01-01 01:00:00.000001", 5.0, "off the 0:30:00 grid"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason(quantity: Quantity, time: str, value: float, reason: str) -> None:
    good, reasons = check([("2014-01-01 00:00", 1.0), (time, value)], quantity)
    assert good == [("2014-01-01 00:00", 1.0)]
    assert reasons == [reason]


@pytest.mark.parametrize(
    ("quantity", "value"),
    [(Quantity.DEMAND, 0.0), (Quantity.DEMAND, 1e7), (Quantity.TEMPERATURE, -40.0), (Quantity.HOLIDAY, 1.0)],
)
def test_the_limits_themselves_are_possible(quantity: Quantity, value: float) -> None:
    assert check([("2014-01-01 00:00", value)], quantity) == ([("2014-01-01 00:00", value)], [])


def test_the_same_reading_given_twice_counts_once() -> None:
    assert check([("2014-01-01 00:00", 1.0)] * 3) == ([("2014-01-01 00:00", 1.0)], [])


def test_a_time_with_two_values_is_refused_altogether() -> None:
    good, reasons = check([("2014-01-01 00:00", 1.0), ("2014-01-01 00:30", 2.0), ("2014-01-01 00:00", 3.0)])
    assert good == [("2014-01-01 00:30", 2.0)]
    assert reasons == ["doubled with different values"] * 2


def test_readings_not_yet_due_are_dropped() -> None:
    assert check([("2014-01-01 23:30", 1.0), ("2014-01-02 00:00", 2.0)]) == ([("2014-01-01 23:30", 1.0)], [])
    late = make_series(delay=timedelta(hours=1))
    found = checked(make_batch([("2014-01-01 22:30", 1.0), ("2014-01-01 23:00", 2.0)]), late, UNTIL)
    assert found.readings["value"].tolist() == [1.0]


def test_rejected_rows_are_told_as_they_came() -> None:
    found = checked(make_batch([("2014-01-01 01:15", -5.0)]), SERIES, UNTIL)
    assert json.loads(found.rejected["raw"][0]) == {"interval_start": "2014-01-01T01:15:00+00:00", "value": "-5.0"}


def test_rows_that_the_source_rejected_stay_rejected() -> None:
    earlier = rejected_frame([("3 fields instead of 2", {"row": "a,b,c"})])
    found = checked(make_batch([("2014-01-01 01:15", 1.0)], rejected=earlier), SERIES, UNTIL)
    assert found.rejected["reason"].tolist() == ["3 fields instead of 2", "off the 0:30:00 grid"]
    assert found.rows == 2


def test_an_empty_batch_stays_empty() -> None:
    assert check([]) == ([], [])


def test_the_readings_frame_keeps_its_contract() -> None:
    for rows in ([], [("2014-01-01 00:00", 1.0), ("2014-01-01 00:10", 1.0)]):
        found = checked(make_batch(rows), SERIES, UNTIL)
        assert found.readings.dtypes.astype(str).to_dict() == {"interval_start": "datetime64[us, UTC]", "value": "float64"}
        assert list(found.rejected.columns) == ["reason", "raw", "interval_start"]


def test_a_nul_character_can_be_stored() -> None:
    assert "\0" not in json.loads(rejected_frame([("bad", {"row": "a\0b"})])["raw"][0])["row"]


times = st.sampled_from(["2014-01-01 22:30", "2014-01-01 23:00", "2014-01-01 23:30", "2014-01-01 23:10", "2014-01-02 00:00"])
values = st.sampled_from([0.0, -0.0, 1.5, 2e7, -1.0, math.nan, math.inf])


@given(st.lists(st.tuples(times, values), max_size=12))
def test_nothing_is_lost(rows: Rows) -> None:
    found = checked(make_batch(rows), SERIES, UNTIL)
    distinct = {(time, f"nan {number}" if math.isnan(value) else value) for number, (time, value) in enumerate(rows)}
    not_due = sum(time == "2014-01-02 00:00" for time, _ in distinct)
    exact_duplicates = len(rows) - len(distinct)
    assert len(found.readings) + len(found.rejected) + not_due + exact_duplicates == len(rows)


@given(st.lists(st.tuples(times, values), max_size=12))
def test_what_passes_is_fit_to_be_stored(rows: Rows) -> None:
    good = checked(make_batch(rows), SERIES, UNTIL).readings
    assert good["interval_start"].is_monotonic_increasing
    assert good["interval_start"].is_unique
    assert (good["interval_start"] + SERIES.interval <= UNTIL).all()
    assert (good["interval_start"].dt.floor(SERIES.interval) == good["interval_start"]).all()
    assert good["value"].between(0, 1e7).all()


def test_a_reading_without_a_time_is_rejected() -> None:
    frame = readings_frame(pd.DatetimeIndex(["NaT", "2014-01-01T00:00Z"], tz="UTC"), np.array([1.0, 2.0]))
    found = checked(Batch(Quantity.DEMAND, frame, rejected_frame()), make_series(), utc("2014-01-02T00:00"))
    assert found.readings["value"].tolist() == [2.0]
    assert found.rejected["reason"].tolist() == ["no time"]


HALF_HOUR = timedelta(minutes=30)
DAY = 48
LEVEL = 2000.0


def smooth(days: int, seed: int = 0) -> np.ndarray:
    """A daily wave with a little noise."""
    number = np.arange(days * DAY)
    return LEVEL + 300 * np.sin(number * 2 * np.pi / DAY) + np.random.default_rng(seed).normal(0, 5, len(number))


def grid(length: int, first: str = "2014-01-01 00:00") -> pd.DatetimeIndex:
    return pd.date_range(pd.Timestamp(first, tz="UTC"), periods=length, freq=HALF_HOUR)


USUAL = learn(readings_frame(grid(60 * DAY), smooth(60, seed=1)), SERIES)


def judge(value: np.ndarray, series: Series = SERIES, starts: pd.DatetimeIndex | None = None, **options: object) -> dict[int, str]:
    """Reasons against a stretch of readings, by their number; the rest passes."""
    index = grid(len(value)) if starts is None else starts
    batch = Batch(series.quantity, readings_frame(index, value), rejected_frame())
    found = inspected([batch], series, **{"usual": USUAL, "until": NOW, **options})  # type: ignore[arg-type]
    told = {
        index.get_loc(start): reason
        for start, reason in zip(found.rejected["interval_start"], found.rejected["reason"], strict=True)
    }
    assert len(found.readings) + len(told) == len(value)
    return told


def test_what_is_usual_is_learnt_from_a_week_or_more() -> None:
    assert learn(readings_frame(grid(7 * DAY - 1), smooth(7)[:-1]), SERIES) is None
    assert USUAL is not None
    assert USUAL.low < 1700 < USUAL.level < 2300 < USUAL.high
    bad = smooth(60, seed=1)
    bad[::500] *= 1000
    spoilt = learn(readings_frame(grid(60 * DAY), bad), SERIES)
    assert spoilt is not None
    assert spoilt.high == pytest.approx(USUAL.high, rel=0.05), "a few bad readings do not move it"


def test_usual_readings_pass() -> None:
    assert judge(smooth(10)) == {}


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.5, 3.0])
def test_a_spike_is_told_and_its_neighbours_pass(factor: float) -> None:
    value = smooth(10)
    value[100] *= factor
    told = judge(value)
    assert set(told) == {100}
    assert "spike" in told[100] or "far from the usual" in told[100]


def test_hours_of_zeros_are_refused_where_demand_never_comes_near_them() -> None:
    value = smooth(10)
    value[100:104] = 0.0
    told = judge(value)
    assert sorted(told) == [100, 101, 102, 103]
    assert all("far from the usual" in reason for reason in told.values())
    at_night = smooth(10) - 1700
    usual = learn(readings_frame(grid(480), at_night.clip(min=0)), SERIES)
    assert judge(at_night.clip(min=0)[:60], usual=usual) == {}, "a building may well come near zero"


def test_a_level_that_stays_is_no_spike() -> None:
    value = smooth(10)
    value[200:] += 700
    assert judge(value) == {}


def test_the_last_reading_waits_for_the_next_if_it_jumps() -> None:
    value = smooth(10)
    value[199] += 700
    assert "waits for the next reading" in judge(value[:200])[199]
    value[200:] += 700
    assert judge(value[:201]) == {}, "the next one is as high: it stays"


def test_what_stands_beside_a_gap_is_not_compared_across_it() -> None:
    value, starts = smooth(10), grid(10 * DAY)
    value[100:] += 700
    kept = np.r_[0:99, 102:480]
    assert judge(value[kept], starts=starts[kept]) == {}


def test_the_first_reading_is_compared_with_what_is_known_before() -> None:
    value = smooth(10)
    value[240] *= 1.6
    before = readings_frame(grid(480)[:240], value[:240])
    assert set(judge(value[240:], starts=grid(480)[240:], before=before, since=grid(480)[240].to_pydatetime())) == {0}


@pytest.mark.parametrize(("length", "told"), [(11, 0), (12, 11), (30, 29)])
def test_six_hours_of_one_value_are_frozen_but_for_the_first(length: int, told: int) -> None:
    value = smooth(10)
    value[100 : 100 + length] = value[100]
    assert sorted(judge(value)) == list(range(101, 101 + told))


def test_temperature_may_stand_still_for_less_than_a_day() -> None:
    series = SERIES.companion(Quantity.TEMPERATURE)
    value = np.round(np.linspace(5, 15, 480) + 5 * np.sin(np.arange(480) * 2 * np.pi / DAY), 1)
    value[100:147] = value[100]
    assert judge(value, series, usual=None) == {}
    value[100:148] = value[100]
    assert sorted(judge(value, series, usual=None)) == list(range(101, 148))


def test_holidays_stand_still_for_ever() -> None:
    assert judge(np.zeros(480), SERIES.companion(Quantity.HOLIDAY), usual=None) == {}


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_a_thousandfold_is_told_as_such_and_a_batch_of_it_is_refused(factor: float) -> None:
    value = smooth(10)
    value[100] *= factor
    assert "thousandfold off the usual" in judge(value)[100]
    with pytest.raises(
        SourceError, match=r"480 of 480 demand rows of series test are about a thousandfold .* correct the unit or scale"
    ):
        judge(smooth(10) * factor)


def test_demand_may_be_negative_only_where_that_is_said() -> None:
    value = smooth(10) - LEVEL
    assert "outside 0 to" in judge(value, usual=None)[np.flatnonzero(value < 0)[0]]
    assert judge(value, usual=None, may_be_negative=True) == {}


def test_what_is_not_due_is_left_out_and_what_lies_after_the_present_is_refused() -> None:
    late = make_series(delay=timedelta(hours=1))
    batch = Batch(Quantity.DEMAND, readings_frame(grid(6), np.arange(6.0) + 1), rejected_frame())
    found = inspected([batch], late, until=utc("2014-01-01 02:00"), now=utc("2014-01-01 02:10"))
    assert found.readings["value"].tolist() == [1.0, 2.0]
    assert found.rejected["reason"].tolist() == ["lies in the future", "lies in the future"]


def test_forecasts_reach_into_the_future_and_are_known_from_their_issue() -> None:
    series = SERIES.companion(Quantity.TEMPERATURE_FORECAST)
    starts = pd.DatetimeIndex(
        ["2014-01-01 00:00", "2014-01-10 00:00", "2014-01-10 00:00", "2014-02-10 00:00", "2014-01-11"], tz="UTC"
    )
    issued = pd.DatetimeIndex(["2014-01-01", "2014-01-01", "2014-01-03", "2014-01-01", "2031-01-01"], tz="UTC")
    batch = Batch(series.quantity, readings_frame(starts, np.arange(5.0), issued), rejected_frame())
    found = inspected([batch], series, until=utc("2014-01-02 00:00"))
    assert found.readings["value"].tolist() == [0.0, 1.0], "the issue of the third of January was not there yet"
    assert found.rejected["reason"].tolist() == ["lies in the future", "lies in the future"]
    assert list(found.readings.columns) == ["interval_start", "value", "known_at"]


@pytest.mark.parametrize(
    ("zone", "minutes", "good"), [("Asia/Kolkata", 60, "00:30"), ("Asia/Kathmandu", 30, "00:15"), ("Europe/Berlin", 15, "00:45")]
)
def test_the_grid_is_that_of_the_zone(zone: str, minutes: int, good: str) -> None:
    batch = make_batch([(f"2014-01-01 {good}", 1.0), ("2014-01-01 01:05", 2.0)])
    found = inspected([batch], make_series(zone=zone, minutes=minutes))
    assert found.readings["value"].tolist() == [1.0]
    assert found.rejected["reason"].tolist() == [f"off the {timedelta(minutes=minutes)} grid"]


def test_a_constant_series_and_an_empty_one_are_no_trouble() -> None:
    assert learn(NOTHING, SERIES) is None
    constant = learn(readings_frame(grid(10 * DAY), np.full(480, 5.0)), SERIES)
    assert constant is not None
    assert judge(np.array([5.0, 5.0, 5.0]), usual=constant) == {}
    assert inspected([]).readings.empty


faulty = st.lists(st.tuples(st.integers(0, 191), st.sampled_from([0.0, 0.4, 1.7, 3.0, 1000.0, math.nan, -1.0])), max_size=6)
frozen = st.lists(st.tuples(st.integers(0, 180), st.integers(10, 14)), max_size=2)


missing, cuts = st.lists(st.integers(0, 191), max_size=5), st.lists(st.integers(1, 190), max_size=6)


@settings(max_examples=150, deadline=None)
@given(faults=faulty, stuck=frozen, gaps=missing, borders=cuts)
def test_it_makes_no_difference_how_a_stretch_is_cut_into_batches(
    faults: list[tuple[int, float]], stuck: list[tuple[int, int]], gaps: list[int], borders: list[int]
) -> None:
    value, starts = smooth(4), grid(4 * DAY)
    for first, length in stuck:
        value[first : first + length] = value[first]
    for at, factor in faults:
        value[at] *= factor
    kept = np.setdiff1d(np.arange(len(value)), gaps)
    frame = readings_frame(starts[kept], value[kept])

    def result(edges: list[int]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        parts = [frame.iloc[a:b].reset_index(drop=True) for a, b in pairwise([0, *edges, len(frame)])]
        found = inspected([Batch(Quantity.DEMAND, part, rejected_frame()) for part in parts], usual=USUAL, until=NOW)
        told = sorted(zip(found.rejected["interval_start"], found.rejected["reason"], strict=True))
        return list(found.readings.itertuples(index=False, name=None)), told

    whole = result([])
    assert result(sorted(set(borders) & set(range(1, len(frame))))) == whole
    assert len(whole[0]) + len(whole[1]) == len(frame), "each row is accepted or rejected"


def test_ascending_is_told_only_where_nothing_can_be_double() -> None:
    def ascending(*batches: Batch) -> bool:
        inspector = Inspector(SERIES, None, NOTHING, SINCE, UNTIL, NOW)
        for batch in batches:
            inspector.inspect(batch)
        return inspector.ascending

    one, two = make_batch([("2014-01-01 00:00", 1.0), ("2014-01-01 00:30", 2.0)]), make_batch([("2014-01-01 01:00", 3.0)])
    assert ascending(one, two)
    assert not ascending(two, one)
    assert not ascending(one, one)
    assert not ascending(make_batch([("2014-01-01 00:30", 2.0), ("2014-01-01 00:00", 1.0)]))
    assert not ascending(make_batch([("2014-01-01 00:30", 2.0), ("2014-01-01 00:30", 2.0)]))


@pytest.fixture(scope="module")
def victoria(vic_csv: Path) -> pd.DataFrame:
    frame = pd.read_csv(vic_csv)
    return frame.set_index(pd.DatetimeIndex(pd.to_datetime(frame["interval_start"], utc=True)).as_unit("us"))


@pytest.mark.parametrize("quantity", [Quantity.DEMAND, Quantity.TEMPERATURE])
@pytest.mark.parametrize("hourly", [False, True])
def test_no_true_reading_of_three_years_is_doubted(victoria: pd.DataFrame, quantity: Quantity, hourly: bool) -> None:
    series = replace(SERIES.companion(quantity), interval=timedelta(hours=1) if hourly else HALF_HOUR)
    value = victoria["demand_mwh" if quantity is Quantity.DEMAND else "temperature_c"]
    if hourly:
        value = value.resample("h").sum() if quantity is Quantity.DEMAND else value.resample("h").first()
    batch = Batch(quantity, readings_frame(pd.DatetimeIndex(value.index), value.to_numpy()), rejected_frame())
    whole = inspected([batch], series, until=NOW)
    assert (len(whole.readings), len(whole.rejected)) == (len(value), 0)
    for end in pd.date_range("2013-02-01", "2014-12-31", freq="9D", tz="UTC"):
        since = end - pd.Timedelta(days=10)
        part, before = value[since : end - series.interval], value[since - pd.Timedelta(days=2) : since - series.interval]
        past = value[: since - series.interval]
        found = inspected(
            [Batch(quantity, readings_frame(pd.DatetimeIndex(part.index), part.to_numpy()), rejected_frame())],
            series,
            learn(readings_frame(pd.DatetimeIndex(past.index), past.to_numpy()), series),
            readings_frame(pd.DatetimeIndex(before.index), before.to_numpy()),
            since.to_pydatetime(),
            end.to_pydatetime(),
        )
        assert (len(found.readings), len(found.rejected)) == (len(part), 0), f"in the ten days before {end}"


@pytest.mark.parametrize(("factor", "share"), [(0.0, 1.0), (0.3, 1.0), (1.5, 0.95), (3.0, 1.0), (1000.0, 1.0), (0.001, 1.0)])
def test_planted_faults_are_found_in_real_demand(victoria: pd.DataFrame, factor: float, share: float) -> None:
    value, year = victoria["demand_mwh"], 366 * DAY
    usual = learn(readings_frame(pd.DatetimeIndex(value.index[:year]), value.to_numpy()[:year]), SERIES)
    later = value[year:].to_numpy(copy=True)
    at = np.random.default_rng(1).choice(np.arange(10, len(later) - 10, 3), 60, replace=False)
    later[at] *= factor
    told = judge(later, starts=pd.DatetimeIndex(value.index[year:]), usual=usual)
    assert len(set(told) & set(at.tolist())) >= share * len(at)
    assert len(set(told) - set(at.tolist())) <= 2


def test_demand_that_passes_through_zero_is_small_in_truth() -> None:
    value = smooth(10) - LEVEL + 300
    value[np.argmin(np.abs(value))] = 0.3
    usual = learn(readings_frame(grid(480), value), SERIES)
    assert judge(value, usual=usual, may_be_negative=True) == {}


def test_a_first_delivery_in_any_order_is_judged_alike() -> None:
    value = smooth(10)
    value[[100, 200, 300]] *= 1.6
    frame = readings_frame(grid(480), value)
    for order in (frame, frame[::-1], frame.sample(frac=1, random_state=1)):
        found = inspected([Batch(Quantity.DEMAND, order.reset_index(drop=True), rejected_frame())], until=NOW)
        assert sorted(grid(480).get_indexer(found.rejected["interval_start"])) == [100, 200, 300]


def test_spikes_in_one_of_a_hundred_readings_do_not_hide_one_another() -> None:
    value = smooth(30)
    at = np.arange(50, len(value) - 10, 100)
    value[at] *= 1.5
    assert set(judge(value, usual=None)) == set(at.tolist())


def test_a_month_of_winter_does_not_refuse_the_summer(victoria: pd.DataFrame) -> None:
    series, value = SERIES.companion(Quantity.TEMPERATURE), victoria["temperature_c"]
    winter = value["2014-06-01":"2014-06-30"]
    usual = learn(readings_frame(pd.DatetimeIndex(winter.index), winter.to_numpy()), series)
    assert usual is not None
    assert value.between(usual.low, usual.high).all()
