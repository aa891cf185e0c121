"""Tables on local clocks: what is written at clock changes is read back as the same moments, or refused with a reason."""

import json
from datetime import timedelta
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
    chunk=st.sampled_from([7, 100_000]),
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
    told = "interval_start exists twice on the clocks of Australia/Melbourne, and is not given twice"
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


def test_every_zone_of_these_tests_changes_its_clocks() -> None:
    assert all(len(changes(zone, 2014)) == 2 for zone in ZONES)
    assert ZoneInfo("Australia/Lord_Howe").utcoffset(utc("2014-01-01 00:00")) == timedelta(hours=11)
