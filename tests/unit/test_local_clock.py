"""Tables on local clocks: what is written at clock changes is read back as the same moments, or refused with a reason."""

import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting.calendar import grid_anchor
from forecasting.frames import rejected_frame
from forecasting.sources import tables
from forecasting.sources.csv import CsvSource
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

ZONES = ("Australia/Melbourne", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana")
SINCE, UNTIL = utc("1990-01-01 00:00"), utc("2040-01-01 00:00")
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def changes(zone: str, year: int) -> list[pd.Timestamp]:
    """The moments of a year at which the clocks of a zone change."""
    hours = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="30min", tz="UTC")
    offsets = pd.Series([moment.utcoffset() for moment in hours.tz_convert(zone).to_pydatetime()])
    return [hours[n] for n in np.flatnonzero(offsets.ne(offsets.shift())) if n]


def read(text: str, folder: Path, zone: str, minutes: int = 30, **options: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    path = folder / "local.csv"
    path.write_text(text)
    source = CsvSource(Web(), path=str(path), time_zone=zone, **options)
    batches = list(source.read(make_series(zone=zone, minutes=minutes), SINCE, UNTIL))
    rejected = pd.concat([rejected_frame(), *(batch.rejected for batch in batches)], ignore_index=True)
    return pd.concat([batch.readings for batch in batches], ignore_index=True), rejected


@given(
    zone=st.sampled_from(ZONES),
    year=st.integers(2001, 2030),
    minutes=st.sampled_from([5, 30, 60]),
    marks=st.sampled_from(["start", "end"]),
    backward=st.booleans(),
    time_format=st.sampled_from([None, "%d/%m/%Y %H:%M"]),
    chunk=st.sampled_from([29, 100_000]),
)
@many
def test_a_local_clock_is_read_back(
    zone: str,
    year: int,
    minutes: int,
    marks: str,
    backward: bool,
    time_format: str | None,
    chunk: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "CHUNK_ROWS", chunk)
    for change in changes(zone, year):
        interval = timedelta(minutes=minutes)
        first = (
            pd.Timestamp(grid_anchor(ZoneInfo(zone), interval)) + (change - pd.Timestamp(0, tz="UTC")).floor("D") - 20 * interval
        )
        starts = pd.date_range(first, change + pd.Timedelta(hours=20), freq=f"{minutes}min")
        shown = (starts + pd.Timedelta(minutes=minutes) if marks == "end" else starts).tz_convert(zone)
        rows = [f"{time},{number}" for number, time in enumerate(shown.strftime(time_format or "%Y-%m-%d %H:%M"))]
        text = "\n".join(["interval_start,demand_mwh", *(rows[::-1] if backward else rows)])
        found, rejected = read(text, tmp_path, zone, minutes, marks=marks, time_format=time_format)
        assert rejected.empty, rejected["reason"].tolist()
        found = found.sort_values("interval_start", ignore_index=True)
        assert found["interval_start"].tolist() == starts.tolist()
        assert found["value"].tolist() == list(range(len(starts)))


HEADER = "interval_start,demand_mwh\n"


def reasons(text: str, folder: Path, zone: str = "Australia/Melbourne") -> list[tuple[str, str]]:
    _, rejected = read(text, folder, zone)
    times = [json.loads(raw)["interval_start"] for raw in rejected["raw"]]
    return list(zip(times, rejected["reason"], strict=True))


def test_a_time_that_the_clock_skips_is_refused(tmp_path: Path) -> None:
    text = HEADER + "2014-10-05 01:30,1\n2014-10-05 02:30,2\n2014-10-05 03:00,3\n"
    assert reasons(text, tmp_path) == [("2014-10-05 02:30", "interval_start does not exist on the clocks of Australia/Melbourne")]


@pytest.mark.parametrize("times", [1, 3])
def test_a_doubled_time_that_is_not_given_twice_is_refused(times: int, tmp_path: Path) -> None:
    text = HEADER + "2014-04-06 01:30,1\n" + "2014-04-06 02:30,2\n" * times + "2014-04-06 03:00,3\n"
    told = "interval_start exists twice on the clocks of Australia/Melbourne, and nothing tells which is meant"
    assert reasons(text, tmp_path) == [("2014-04-06 02:30", told)] * times


def test_times_with_an_offset_are_taken_by_it_whatever_the_zone(tmp_path: Path) -> None:
    text = HEADER + "2014-04-06T02:30+11:00,1\n2014-04-06 12:00,2\n2014-04-05T16:30Z,3\n"
    found, rejected = read(text, tmp_path, "Australia/Melbourne")
    assert found["interval_start"].tolist() == [utc("2014-04-05 15:30"), utc("2014-04-06 02:00"), utc("2014-04-05 16:30")]
    assert rejected.empty


def test_a_doubled_hour_may_be_split_over_two_files_only_if_each_tells_it_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "2014-04-06 01:30,1\n2014-04-06 02:00,2\n2014-04-06 02:30,3\n")
    (tmp_path / "b.csv").write_text(HEADER + "2014-04-06 02:00,4\n2014-04-06 02:30,5\n2014-04-06 03:00,6\n")
    source = CsvSource(Web(), path=str(tmp_path), time_zone="Australia/Melbourne")
    batches = list(source.read(make_series(), SINCE, UNTIL))
    assert sum(len(batch.rejected) for batch in batches) == 4
    assert sum(len(batch.readings) for batch in batches) == 2


def test_rows_for_what_is_still_to_come_may_be_empty(tmp_path: Path) -> None:
    found, rejected = read(HEADER + "2014-01-01 00:00,1\n2014-01-01 00:30,\n2041-01-01 00:00,\n", tmp_path, "Australia/Melbourne")
    assert len(found) == 1
    assert rejected["reason"].tolist() == ["demand_mwh has no value"]


MELBOURNE_HOURS = [f"2014-04-06 {hour}" for hour in ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")]
IN_ORDER = list(range(6))


def values_by_start(rows: list[str], folder: Path, zone: str = "Australia/Melbourne", minutes: int = 30) -> list[float]:
    found, rejected = read("\n".join([HEADER.strip(), *rows]), folder, zone, minutes)
    assert rejected.empty, rejected["reason"].tolist()
    return found.sort_values("interval_start")["value"].tolist()


@pytest.mark.parametrize("border", range(1, 7))
def test_the_doubled_hour_may_be_split_over_two_chunks(border: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_ROWS", border)
    rows = [f"{time},{number}" for number, time in enumerate(MELBOURNE_HOURS)]
    assert values_by_start(rows, tmp_path) == IN_ORDER
    assert values_by_start(rows[::-1], tmp_path) == IN_ORDER


def test_a_table_of_nothing_but_the_doubled_hour_tells_which_way_it_runs(tmp_path: Path) -> None:
    rows = [f"{time},{number}" for number, time in enumerate(MELBOURNE_HOURS[1:5])]
    assert values_by_start(rows, tmp_path) == [0, 1, 2, 3]
    assert values_by_start(rows[::-1], tmp_path) == [0, 1, 2, 3]


def test_a_late_row_at_the_end_does_not_turn_the_table_round(tmp_path: Path) -> None:
    rows = [*(f"{time},{number}" for number, time in enumerate(MELBOURNE_HOURS)), "2014-03-01 00:00,-1"]
    assert values_by_start(rows, tmp_path) == [-1, *IN_ORDER]


def test_files_joined_newest_first_still_run_forward(tmp_path: Path) -> None:
    new, old = (
        [f"{day} {time[-5:]},{number}" for number, time in enumerate(MELBOURNE_HOURS)] for day in ("2014-04-06", "2013-04-07")
    )
    assert values_by_start([*new, *old], tmp_path) == IN_ORDER * 2


def test_a_doubled_hour_without_summer_time(tmp_path: Path) -> None:
    """Moscow set its clocks back for good in 2014."""
    rows = [f"2014-10-26 {hour},{number}" for number, hour in enumerate(("00:00", "01:00", "01:00", "02:00"))]
    assert values_by_start(rows, tmp_path, "Europe/Moscow", 60) == [0, 1, 2, 3]


@pytest.mark.parametrize(("zone", "skipped"), [("Pacific/Apia", "2011-12-30 12:00"), ("America/Havana", "2014-03-09 00:30")])
def test_a_skipped_day_and_a_skipped_midnight(zone: str, skipped: str, tmp_path: Path) -> None:
    assert reasons(f"{HEADER}{skipped},1\n2014-01-01 00:00,2\n", tmp_path, zone) == [
        (skipped, f"interval_start does not exist on the clocks of {zone}")
    ]


@pytest.mark.parametrize(
    "time", ["1899-12-31 23:59", "2300-01-01 00:00", "9999-12-31 23:59", "0001-01-01 00:00", "0000-01-01 00:00"]
)
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_far_from_any_calendar_is_no_time(time: str, zone: str, tmp_path: Path) -> None:
    assert reasons(f"{HEADER}{time},1\n2014-01-01 00:00,2\n", tmp_path, zone) == [(time, "interval_start is not a time")]


def test_every_zone_of_these_tests_changes_its_clocks() -> None:
    assert all(len(changes(zone, 2014)) == 2 for zone in ZONES)
    assert ZoneInfo("Australia/Lord_Howe").utcoffset(utc("2014-01-01 00:00")) == timedelta(hours=11)
