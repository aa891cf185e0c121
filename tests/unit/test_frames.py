import json
import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.domain import Quantity
from forecasting.frames import Batch, checked, readings_frame, rejected_frame
from tests.unit.builders import make_series, utc

SERIES = make_series()
UNTIL = utc("2014-01-02 00:00")
Rows = list[tuple[str, float]]


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
        assert list(found.rejected.columns) == ["reason", "raw"]


def test_a_nul_character_can_be_stored() -> None:
    assert "\0" not in json.loads(rejected_frame([("bad", {"row": "a\0b"})])["raw"][0])["row"]


times = st.sampled_from(["2014-01-01 22:30", "2014-01-01 23:00", "2014-01-01 23:30", "2014-01-01 23:10", "2014-01-02 00:00"])
values = st.sampled_from([0.0, -0.0, 1.5, 2e7, -1.0, math.nan, math.inf])


@given(st.lists(st.tuples(times, values), max_size=12))
def test_nothing_is_lost(rows: Rows) -> None:
    found = checked(make_batch(rows), SERIES, UNTIL)
    distinct = {(time, "nan" if math.isnan(value) else value) for time, value in rows}
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
