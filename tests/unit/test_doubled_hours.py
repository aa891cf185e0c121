"""Doubled hours of tables that are not in one order, that hold several versions, or that hold nothing else."""

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.calendar import grid_anchor
from forecasting.errors import SourceError
from forecasting.sources.csv import CsvWeather
from forecasting.sources.web import Web
from tests.unit.builders import make_series
from tests.unit.test_local_clock import HEADER, SINCE, UNTIL, ZONES, changes, many, read


def written(zone: str, minutes: int = 30) -> tuple[pd.DatetimeIndex, list[str]]:
    """A day and a half around the end of summer time, and how a table on the local clock writes it; values count up."""
    back = next(change for change in changes(zone, 2014) if change.tz_convert(zone).dst() == timedelta(0))
    anchor = pd.Timestamp(grid_anchor(ZoneInfo(zone), timedelta(minutes=minutes)))
    first = anchor + (back - anchor).floor("D") - pd.Timedelta(hours=12)
    starts = pd.date_range(first, periods=36 * 60 // minutes, freq=f"{minutes}min")
    return starts, [f"{time},{number}" for number, time in enumerate(starts.tz_convert(zone).strftime("%Y-%m-%d %H:%M"))]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("backward", [False, True])
def test_a_row_out_of_place_does_not_turn_the_doubled_hour(zone: str, backward: bool, tmp_path: Path) -> None:
    starts, rows = written(zone)
    ordered = rows[::-1] if backward else rows
    for strays in (["2010-01-15 12:00,-1"], ["2030-01-15 12:00,-1"]):
        for text in ([*strays, *ordered], [*ordered, *strays]):
            found, rejected = read(HEADER + "\n".join(text), tmp_path, zone)
            assert rejected.empty
            found = found[found["value"] >= 0].sort_values("interval_start", ignore_index=True)
            assert found["interval_start"].tolist() == starts.tolist()
            assert found["value"].tolist() == list(range(len(starts)))


@given(zone=st.sampled_from(ZONES), minutes=st.sampled_from([5, 30, 60]), cut=st.integers(-30, 30), backward=st.booleans())
@many
def test_a_table_put_together_the_wrong_way_round_is_right_or_refused(
    zone: str, minutes: int, cut: int, backward: bool, tmp_path: Path
) -> None:
    starts, rows = written(zone, minutes)
    ordered = rows[::-1] if backward else rows
    shown = [row[:16] for row in ordered]
    twice = (number for number, time in enumerate(shown) if time in shown[:number])
    middle = next(twice, len(rows) // 2)  # where the second occurrence begins, if the table shows any time twice
    cut = max(0, middle + cut)
    found, rejected = read(HEADER + "\n".join(ordered[cut:] + ordered[:cut]), tmp_path, zone, minutes)
    assert len(found) + len(rejected) == len(starts)
    assert found["interval_start"].tolist() == [starts[int(value)] for value in found["value"]]


@pytest.mark.parametrize("by_issue", [True, False], ids=["issue after issue", "all issues of a time together"])
@pytest.mark.parametrize("zone", ZONES)
def test_every_forecast_has_its_own_doubled_hour(zone: str, by_issue: bool, tmp_path: Path) -> None:
    starts, rows = written(zone)
    issues = [f"2014-0{month}-01 06:00" for month in range(1, 4)]
    lines = [(number, f"{issue},{row}") for issue in issues for number, row in enumerate(rows)]
    lines = lines if by_issue else sorted(lines, key=lambda line: line[0])
    path = tmp_path / "forecasts.csv"
    path.write_text("\n".join(["issued_at,valid_time,temperature_c", *(line for _, line in lines)]))
    source = CsvWeather(Web(), path=str(path), time="valid_time", issued_at="issued_at", time_zone=zone)
    batches = list(source.read(make_series(zone=zone), SINCE, UNTIL))
    assert all(batch.rejected.empty for batch in batches)
    found = pd.concat([batch.readings for batch in batches])
    assert found["interval_start"].tolist() == [starts[int(value)] for value in found["value"]]
    assert found.groupby("known_at").size().tolist() == [len(starts)] * 3


def test_readings_that_say_when_each_was_published_have_their_doubled_hour(tmp_path: Path) -> None:
    starts, rows = written("Australia/Melbourne")
    text = "\n".join(f"{row},{start + pd.Timedelta(minutes=35):%FT%RZ}" for start, row in zip(starts, rows, strict=True))
    found, rejected = read("interval_start,demand_mwh,seen\n" + text, tmp_path, "Australia/Melbourne", known_at="seen")
    assert rejected.empty
    assert (found["known_at"] - found["interval_start"] == pd.Timedelta(minutes=35)).all()
    assert found["interval_start"].tolist() == [starts[int(value)] for value in found["value"]]


def test_a_logger_that_is_stuck_in_the_doubled_hour_does_not_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="more than 100,000 rows whose interval_start"):
        read(HEADER + "2014-04-06 02:30,1\n" * 250_000, tmp_path, "Australia/Melbourne")


@pytest.mark.parametrize("backward", [False, True])
def test_a_piece_that_runs_the_other_way_keeps_its_own_order(backward: bool, tmp_path: Path) -> None:
    """A short export, newest first, under a long one, oldest first."""
    starts, rows = written("Australia/Melbourne")
    long = [f"{time:%Y-%m-%d %H:%M},-1" for time in pd.date_range("2013-06-01", periods=500, freq="30min")]
    text = [*long[::-1], *rows] if backward else [*long, *rows[::-1]]
    found, rejected = read(HEADER + "\n".join(text), tmp_path, "Australia/Melbourne")
    assert rejected.empty
    found = found[found["value"] >= 0]
    assert found["interval_start"].tolist() == [starts[int(value)] for value in found["value"]]


def test_two_versions_of_a_feed_that_leaves_one_of_the_hours_out_are_not_taken_for_both(tmp_path: Path) -> None:
    _, rows = written("Australia/Melbourne")
    once = [row for number, row in enumerate(rows) if row[:16] not in {before[:16] for before in rows[:number]}]
    found, rejected = read(HEADER + "\n".join([*once, *once]), tmp_path, "Australia/Melbourne")
    assert len(once) == len(rows) - 2
    assert len(rejected) == 4
    assert len(found) == 2 * len(once) - 4


@pytest.mark.parametrize(("unit", "scale"), [("GWh", 1.0), ("MWh", 1e10)])
@pytest.mark.filterwarnings("error")
def test_a_number_that_its_unit_makes_infinite_is_rejected(unit: str, scale: float, tmp_path: Path) -> None:
    text = HEADER + "2014-01-01 00:00,1e307\n2014-01-01 00:30,-1e307\n2014-01-01 01:00,1\n"
    found, rejected = read(text, tmp_path, "UTC", unit=unit, scale=scale)
    assert np.isfinite(found["value"]).all()
    assert rejected["reason"].tolist() == ["demand_mwh is not a number"] * 2


def test_what_is_kept_of_a_bad_row_is_not_endless(tmp_path: Path) -> None:
    text = HEADER + "2014-01-01 00:00," + "9" * 100_000 + "\n" + "x" * 100_000 + "\n2014-01-01 01:00,1\n"
    _, rejected = read(text, tmp_path, "UTC")
    assert sorted(len(cell) for raw in rejected["raw"] for cell in json.loads(raw).values()) == [16, 1000, 1000]


@pytest.mark.parametrize("blank", ["\n", "\r\n\r\n"])
def test_blank_lines_before_the_header_are_passed_over(blank: str, tmp_path: Path) -> None:
    found, _ = read(blank + HEADER + "2014-01-01 01:00,1\n", tmp_path, "UTC")
    assert len(found) == 1
    with pytest.raises(SourceError, match="web page"):
        read(blank + "<!DOCTYPE html>", tmp_path, "UTC")
