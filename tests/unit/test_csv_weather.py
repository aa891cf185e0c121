"""Temperature from CSV: observed, or forecasts that keep their issue time."""

from pathlib import Path

import pytest

from forecasting.domain import Quantity
from forecasting.errors import SourceError
from forecasting.frames import Batch
from forecasting.sources import WEATHER, open_source
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

SERIES = make_series(minutes=60).companion(Quantity.TEMPERATURE)
SINCE, UNTIL = utc("2014-01-01 00:00"), utc("2014-01-03 00:00")


def read(rows: list[str], folder: Path, **options: str) -> list[Batch]:
    path = folder / "weather.csv"
    path.write_text("\n".join(rows))
    return list(open_source("csv", "vic", {"path": str(path), **options}, Web(), WEATHER).read(SERIES, SINCE, UNTIL))


def test_observed_temperature(tmp_path: Path) -> None:
    (batch,) = read(["interval_start,temperature_c", "2014-01-01T00:00Z,-3.5", "2014-01-01T01:00Z,4e1"], tmp_path)
    assert batch.quantity is Quantity.TEMPERATURE
    assert list(batch.readings.columns) == ["interval_start", "value"]
    assert batch.readings["value"].tolist() == [-3.5, 40.0]
    assert batch.rejected.empty


@pytest.mark.parametrize(("unit", "freezing", "boiling"), [("C", "0", "100"), ("F", "32", "212"), ("K", "273.15", "373.15")])
def test_units_of_temperature(unit: str, freezing: str, boiling: str, tmp_path: Path) -> None:
    rows = ["interval_start,temperature_c", f"2014-01-01T00:00Z,{freezing}", f"2014-01-01T01:00Z,{boiling}"]
    (batch,) = read(rows, tmp_path, temperature_unit=unit)
    assert batch.readings["value"].tolist() == pytest.approx([0.0, 100.0])


def test_ends_of_intervals_on_a_local_clock(tmp_path: Path) -> None:
    rows = ["when;temp", "06/04/2014 02:00;1", "06/04/2014 02:00;2", "06/04/2014 03:00;3"]
    (first, second) = read(
        rows, tmp_path, time="when", temperature="temp", delimiter=";", marks="end", time_zone="Australia/Melbourne",
        time_format="%d/%m/%Y %H:%M",
    )  # fmt: skip
    assert first.readings["interval_start"].tolist() == [utc("2014-04-05 16:00")]
    assert second.readings["interval_start"].tolist() == [utc("2014-04-05 14:00"), utc("2014-04-05 15:00")]
    assert second.readings["value"].tolist() == [1.0, 2.0]
    assert second.rejected.empty


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("", "temperature_c has no value"), ("warm", "temperature_c is not a number"), ("nan", "temperature_c is not a number")],
)
def test_what_is_no_temperature_is_rejected(cell: str, reason: str, tmp_path: Path) -> None:
    (batch,) = read(["interval_start,temperature_c", f"2014-01-01T00:00Z,{cell}", "2014-01-01T01:00Z,4"], tmp_path)
    assert len(batch.readings) == 1
    assert batch.rejected["reason"].tolist() == [reason]


FORECASTS = [
    "issued_at,interval_start,temperature_c",
    "2013-12-31T18:00Z,2014-01-02T00:00Z,20",
    "2014-01-01T18:00Z,2014-01-02T00:00Z,21",
]


def test_forecasts_of_the_same_hour_are_told_apart_by_their_issue(tmp_path: Path) -> None:
    (batch,) = read(FORECASTS, tmp_path, issued_at="issued_at")
    assert batch.quantity is Quantity.TEMPERATURE_FORECAST
    assert batch.readings["interval_start"].tolist() == [utc("2014-01-02 00:00")] * 2
    assert batch.readings["known_at"].tolist() == [utc("2013-12-31 18:00"), utc("2014-01-01 18:00")]
    assert batch.readings["value"].tolist() == [20.0, 21.0]


def test_forecasts_reach_beyond_the_window(tmp_path: Path) -> None:
    (batch,) = read(
        [*FORECASTS, "2014-01-02T18:00Z,2014-01-12T00:00Z,25", "2014-01-02T18:00Z,2014-01-12T01:00Z,"],
        tmp_path,
        issued_at="issued_at",
    )
    assert batch.readings["value"].tolist() == [20.0, 21.0, 25.0]
    assert batch.rejected.empty


@pytest.mark.parametrize("issued", ["", "yesterday", "2014-01-01 18:00", "2014-02-30T00:00Z"])
def test_a_forecast_whose_issue_cannot_be_told_is_rejected(issued: str, tmp_path: Path) -> None:
    (batch,) = read([*FORECASTS, f"{issued},2014-01-02T00:00Z,25"], tmp_path, issued_at="issued_at")
    assert batch.readings["value"].tolist() == [20.0, 21.0]
    assert batch.rejected["reason"].tolist() == ["issued_at is not a time"]
    assert batch.rejected["interval_start"].tolist() == [utc("2014-01-02 00:00")]


def test_a_column_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column called 'issued'"):
        read(FORECASTS, tmp_path, issued_at="issued")
    with pytest.raises(SourceError, match="no column called 'celsius'"):
        read(FORECASTS, tmp_path, temperature="celsius")
