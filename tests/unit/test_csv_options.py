"""What the options of a CSV source mean: units, ends of intervals, delimiters, formats of times, known-at, and paths."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from forecasting.domain import Quantity
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch
from forecasting.sources import WEATHER, open_source
from forecasting.sources.csv import CsvSource
from forecasting.sources.units import IN_MEGA
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

MELBOURNE = "Australia/Melbourne"
SINCE, UNTIL = utc("2014-01-01 00:00"), utc("2014-01-03 00:00")
HEADER = "interval_start,demand_mwh"


def batches(rows: list[str], folder: Path, minutes: int = 30, **options: object) -> list[Batch]:
    path = folder / "demand.csv"
    path.write_text("\n".join(rows))
    return list(CsvSource(Web(), path=str(path), **options).read(make_series(minutes=minutes), SINCE, UNTIL))


def read(rows: list[str], folder: Path, minutes: int = 30, **options: object) -> list[tuple[str, float]]:
    """Demand, where none of it is rejected."""
    found = batches(rows, folder, minutes, **options)
    assert [reason for batch in found for reason in batch.rejected["reason"]] == []
    return readings([batch for batch in found if batch.quantity is Quantity.DEMAND])


def readings(found: list[Batch]) -> list[tuple[str, float]]:
    frames = [batch.readings for batch in found]
    return [
        (f"{start:%F %R}", value) for frame in frames for start, value in zip(frame["interval_start"], frame["value"], strict=True)
    ]


@pytest.mark.parametrize("minutes", [5, 30, 60])
@pytest.mark.parametrize(
    ("unit", "mwh_an_hour"), [("MWh", None), ("kWh", None), ("GWh", None), ("MW", 1.0), ("kW", 0.001), ("GW", 1000.0)]
)
def test_power_is_spread_over_its_interval_and_energy_is_not(
    unit: str, mwh_an_hour: float | None, minutes: int, tmp_path: Path
) -> None:
    energy_mwh = {"MWh": 1.0, "kWh": 0.001, "GWh": 1000.0}
    expected = energy_mwh[unit] if mwh_an_hour is None else mwh_an_hour * minutes / 60
    ((_, value),) = read([HEADER, "2014-01-01T00:00Z,120"], tmp_path, minutes, unit=unit)
    assert value == pytest.approx(120 * expected, rel=1e-12)


def test_every_unit_is_tested_above() -> None:
    assert set(IN_MEGA) == {"MWh", "kWh", "GWh", "MW", "kW", "GW"}


def test_scale_comes_before_the_unit(tmp_path: Path) -> None:
    assert read([HEADER, "2014-01-01T00:00Z,12"], tmp_path, unit="MW", scale=100.0) == [("2014-01-01 00:00", 600.0)]


def test_what_a_unit_makes_too_large_is_no_number(tmp_path: Path) -> None:
    (batch,) = batches([HEADER, "2014-01-01T00:00Z,1e308", "2014-01-01T00:30Z,1"], tmp_path, unit="GWh")
    assert batch.readings["value"].tolist() == [1000.0]
    assert batch.rejected["reason"].tolist() == ["demand_mwh is not a number"]


def test_an_interval_is_marked_by_its_start_or_its_end(tmp_path: Path) -> None:
    rows = [HEADER, "2014-01-01T01:00Z,1"]
    assert read(rows, tmp_path, marks="start") == [("2014-01-01 01:00", 1.0)]
    assert read(rows, tmp_path, marks="end") == [("2014-01-01 00:30", 1.0)]
    assert read(rows, tmp_path, 60, marks="end") == [("2014-01-01 00:00", 1.0)]


def test_the_window_is_about_starts_even_where_ends_are_written(tmp_path: Path) -> None:
    assert read([HEADER, "2014-01-01T00:00Z,1", "2014-01-01T00:30Z,2"], tmp_path, marks="end") == [("2014-01-01 00:00", 2.0)]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    rows = [HEADER.replace(",", delimiter), f'2014-01-01T00:00Z{delimiter}"1"']
    assert read(rows, tmp_path, delimiter=delimiter) == [("2014-01-01 00:00", 1.0)]


@pytest.mark.parametrize("zone", [MELBOURNE, "Australia/Brisbane", "Etc/GMT-10"])
def test_a_clock_may_be_another_than_that_of_the_series(zone: str, tmp_path: Path) -> None:
    ((start, _),) = read([HEADER, "2014-01-01 12:00,1"], tmp_path, time_zone=zone)
    assert start == ("2014-01-01 01:00" if zone == MELBOURNE else "2014-01-01 02:00")


@pytest.mark.parametrize(
    ("time_format", "time"),
    [
        ("%d/%m/%Y %H:%M", "01/02/2014 13:05"),
        ("%m/%d/%y %I:%M %p", "02/01/14 01:05 PM"),
        ("%Y%m%d%H%M%S", "20140201130500"),
        ("%d %b %Y %H:%M:%S.%f", "01 Feb 2014 13:05:00.000"),
    ],
)
def test_times_may_follow_a_pattern(time_format: str, time: str, tmp_path: Path) -> None:
    assert read([HEADER, f"{time},1"], tmp_path, 5, time_format=time_format, time_zone="Etc/UTC") == [("2014-02-01 13:05", 1.0)]


def test_a_pattern_may_have_an_offset(tmp_path: Path) -> None:
    rows = [HEADER, "01/01/2014 13:00 +1100,1", "01/01/2014 13:00 Z,2"]
    assert read(rows, tmp_path, time_format="%d/%m/%Y %H:%M %z") == [("2014-01-01 02:00", 1.0), ("2014-01-01 13:00", 2.0)]
    rejected = batches([HEADER, "01/01/2014 13:00,1", "now,2"], tmp_path, time_format="%d/%m/%Y %H:%M %z", time_zone=MELBOURNE)
    assert rejected[0].rejected["reason"].tolist() == ["interval_start is not a time"] * 2


@pytest.mark.parametrize("cell", ["30/02/2014 00:00", "01/13/2014 00:00", "2014-01-01T00:00", "01/01/14 00:00", "today", ""])
def test_a_time_that_does_not_follow_the_pattern_is_rejected(cell: str, tmp_path: Path) -> None:
    (batch,) = batches([HEADER, f"{cell},1"], tmp_path, time_format="%d/%m/%Y %H:%M", time_zone=MELBOURNE)
    assert batch.readings.empty
    assert batch.rejected["reason"].tolist() == ["interval_start is not a time"]


def test_each_row_may_tell_when_it_became_known(tmp_path: Path) -> None:
    header = "interval_start,demand_mwh,temperature_c,seen"
    rows = [header, "2014-01-01T00:00Z,1,20,2014-01-01T01:00Z", "2014-01-01T00:00Z,2,21,2014-01-05T00:00+11:00"]
    for batch in batches(rows, tmp_path, known_at="seen"):
        assert batch.readings["known_at"].tolist() == [utc("2014-01-01 01:00"), utc("2014-01-04 13:00")]
        assert len(batch.readings) == 2


def test_a_row_whose_known_at_cannot_be_told_is_rejected_once(tmp_path: Path) -> None:
    header = "interval_start,demand_mwh,temperature_c,seen"
    seen = ("2014-04-06 02:30", "2014-10-05 02:30", "soon", "")
    rows = [header, *(f"2014-01-01 2{hour}:00,1,20,{moment}" for hour, moment in enumerate(seen))]
    (batch,) = batches(rows, tmp_path, known_at="seen", time_zone=MELBOURNE)
    assert batch.readings.empty
    assert batch.rejected["reason"].tolist() == [
        f"seen exists twice on the clocks of {MELBOURNE}, and nothing tells which is meant",
        f"seen does not exist on the clocks of {MELBOURNE}",
        "seen is not a time",
        "seen is not a time",
    ]
    assert "2014-04-06 02:30" in batch.rejected["raw"][0]


@pytest.mark.parametrize(("unit", "cell"), [("C", "25"), ("F", "77"), ("K", "298.15")])
def test_temperature_is_told_in_celsius(unit: str, cell: str, tmp_path: Path) -> None:
    found = batches(["interval_start,demand_mwh,temperature_c", f"2014-01-01T00:00Z,1,{cell}"], tmp_path, temperature_unit=unit)
    assert [batch.quantity for batch in found] == [Quantity.DEMAND, Quantity.TEMPERATURE]
    assert readings(found[1:]) == [("2014-01-01 00:00", pytest.approx(25.0))]


def write_months(folder: Path) -> None:
    for month, day in (("c", 3), ("a", 1), ("b", 2)):
        content = f"{HEADER}\n2014-01-0{day}T00:00Z,{day}\n".encode()
        name = f"{month}.csv.gz" if month == "b" else f"{month}.csv"
        (folder / name).write_bytes(gzip.compress(content) if month == "b" else content)


@pytest.mark.parametrize("path", [".", "*", "[ab].csv*", "./?.csv*"])
def test_several_files_are_read_in_the_order_of_their_names(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_months(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = readings(list(CsvSource(Web(), path=path).read(make_series(), SINCE, UNTIL)))
    assert [value for _, value in found] == ([1.0, 2.0] if "ab" in path else [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "b.csv is empty"), (b"when,load\n", "b.csv has no column"), (gzip.compress(b"x" * 99, mtime=0)[:-9], "b.csv is not")],
)
def test_one_bad_file_among_them_is_refused_by_its_name(content: bytes, problem: str, tmp_path: Path) -> None:
    write_months(tmp_path)
    (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(CsvSource(Web(), path=str(tmp_path)).read(make_series(), SINCE, UNTIL))
    assert problem in caught.value.problem


def test_files_may_have_their_columns_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\n2014-01-01T00:00Z,1\n")
    (tmp_path / "b.csv").write_text("demand_mwh,note,interval_start\n2,x,2014-01-01T00:30Z\n")
    found = list(CsvSource(Web(), path=str(tmp_path)).read(make_series(), SINCE, UNTIL))
    assert readings(found) == [("2014-01-01 00:00", 1.0), ("2014-01-01 00:30", 2.0)]


@pytest.mark.parametrize("source", ["csv", "weather"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", ""),
        ("delimiter", ""),
        ("delimiter", ",,"),
        ("delimiter", '"'),
        ("delimiter", "\n"),
        ("delimiter", "¦"),
        ("marks", "middle"),
        ("time_zone", "Melbourne"),
        ("time_zone", "../etc/passwd"),
        ("time_zone", "Australia"),
        ("time_format", "%d/%m/%Y %H:%M"),  # on no clock
        ("time_format", "%H:%M %z"),
        ("time_format", "%d/%m/%Y %I:%M %z"),  # half of the day is missing
        ("time_format", "%Y-%m-%d %H:%M %Z"),
        ("time_format", "%Q %z"),
        ("time_format", "mixed"),
        ("time_format", "%"),
        ("time_format", ""),
        ("temperature_unit", "R"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(source: str, key: str, value: str) -> None:
    options = {"path": "a.csv", key: value}
    with pytest.raises(SettingsError) as caught:
        open_source("csv", "vic", options, Web(), *([WEATHER] if source == "weather" else []))
    assert f"option {key}: " in caught.value.problem
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("unit", "mwh"), ("scale", 0), ("scale", -1.0), ("scale", float("nan"))])
def test_a_unit_or_scale_that_makes_no_sense_is_refused(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"option {key}: "):
        open_source("csv", "vic", {"path": "a.csv", key: value}, Web())


def test_a_zone_must_be_given_before_its_pattern_is_taken() -> None:
    options = {"path": "a.csv", "time_format": "%d/%m/%Y %H:%M", "time_zone": MELBOURNE}
    assert isinstance(open_source("csv", "vic", options, Web()), CsvSource)


def test_rows_on_a_clock_that_lie_before_the_window_are_passed_over_even_if_unsure(tmp_path: Path) -> None:
    unsure = ["2013-04-07 02:30,1", "2013-10-06 02:30,2", "2014-04-06 02:30,3", "2014-10-05 02:30,4"]
    found = pd.concat([batch.rejected for batch in batches([HEADER, *unsure], tmp_path, time_zone=MELBOURNE)])
    assert sorted(json.loads(raw)["demand_mwh"] for raw in found["raw"]) == ["3", "4"]
