"""CSV over HTTP, temperature from CSV, and malformed files."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pytest_httpserver import HTTPServer

from forecasting.domain import Quantity
from forecasting.errors import SourceError
from forecasting.frames import Batch, readings_frame
from forecasting.quality import Inspector
from forecasting.sources.csv import CsvSource, CsvWeather
from forecasting.sources.web import Web
from tests.feeds.conftest import QUICK, RudeServer
from tests.feeds.fuzzing import INPUTS, check_batch, fuzz
from tests.unit.builders import make_series, utc

SERIES = make_series()
SINCE, UNTIL = utc("2014-01-01 00:00"), utc("2014-01-03 00:00")
GOOD = b"interval_start,demand_mwh\n2014-01-01T00:00Z,1.5\n2014-01-01T00:30Z,2.5\n"


def demand(web: Web, path: str, **options: object) -> list[float]:
    batches = CsvSource(web, path=path, **options).read(SERIES, SINCE, UNTIL)
    return [value for batch in batches if batch.quantity is Quantity.DEMAND for value in batch.readings["value"]]


@pytest.mark.parametrize("body", [GOOD, gzip.compress(GOOD, mtime=0)])
def test_a_file_on_the_web(httpserver: HTTPServer, web: Web, body: bytes) -> None:
    httpserver.expect_request("/demand.csv").respond_with_data(body, content_type="application/octet-stream")
    assert demand(web, httpserver.url_for("/demand.csv")) == [1.5, 2.5]


def test_an_unchanged_file_is_not_sent_again(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_ordered_request("/demand.csv").respond_with_data(GOOD, headers={"ETag": '"one"'}, content_type="text/csv")
    httpserver.expect_ordered_request("/demand.csv", headers={"If-None-Match": '"one"'}).respond_with_data(b"", status=304)
    web = Web(QUICK, tmp_path / "cache")
    for _ in range(2):
        assert demand(web, httpserver.url_for("/demand.csv")) == [1.5, 2.5]
    httpserver.check_assertions()


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 200, "empty"),
        (b"<!doctype html><html></html>", 200, "web page"),
        (b"interval_start,load\n", 200, "no column called 'demand_mwh'"),
        (gzip.compress(GOOD * 50, mtime=0)[:-20], 200, "not a readable CSV file"),
        (b"", 403, "403"),
        (b"", 404, "404"),
        (b"", 500, "500"),
    ],
)
def test_what_is_no_file_of_demand_is_refused(httpserver: HTTPServer, web: Web, body: bytes, status: int, told: str) -> None:
    httpserver.expect_request("/demand.csv").respond_with_data(body, status=status, content_type="text/csv")
    with pytest.raises(SourceError) as caught:
        demand(web, httpserver.url_for("/demand.csv?key=hidden"))
    assert told in str(caught.value)
    assert "127.0.0.1" in str(caught.value) or "localhost" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_file_cut_short_on_the_way_is_refused(rude: RudeServer, web: Web) -> None:
    rude.answers.append([b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 500\r\n\r\n" + GOOD])
    with pytest.raises(SourceError):
        demand(web, f"{rude.url}/demand.csv")


def test_observed_temperature_from_csv(tmp_path: Path, web: Web) -> None:
    path = tmp_path / "weather.csv"
    path.write_text("when;temp\n2014-01-01T01:00Z;68\n2014-01-01T02:00Z;-40\n")
    series = SERIES.companion(Quantity.TEMPERATURE)
    source = CsvWeather(web, path=str(path), time="when", temperature="temp", delimiter=";", temperature_unit="F", marks="end")
    (batch,) = source.read(series, SINCE, UNTIL)
    assert batch.quantity is Quantity.TEMPERATURE
    assert batch.readings["value"].tolist() == pytest.approx([20.0, -40.0])
    assert batch.readings["interval_start"].tolist() == [utc("2014-01-01 00:30"), utc("2014-01-01 01:30")]


def test_forecasts_of_temperature_keep_their_issue_time(tmp_path: Path, web: Web) -> None:
    path = tmp_path / "forecasts.csv"
    path.write_text(
        "issued_at,valid_time,temperature_c\n2014-01-01T00:00Z,2014-01-02T00:00Z,20\n2014-01-02T00:00Z,2014-01-02T00:00Z,21\n"
        "soon,2014-01-02T00:00Z,22\n"
    )
    source = CsvWeather(web, path=str(path), time="valid_time", issued_at="issued_at")
    (batch,) = source.read(SERIES.companion(Quantity.TEMPERATURE), SINCE, UNTIL)
    assert batch.quantity is Quantity.TEMPERATURE_FORECAST
    assert batch.readings["known_at"].tolist() == [utc("2014-01-01 00:00"), utc("2014-01-02 00:00")]
    assert batch.readings["value"].tolist() == [20.0, 21.0]
    assert batch.rejected["reason"].tolist() == ["issued_at is not a time"]


def test_files_of_a_folder_and_a_glob_are_read_in_order_and_a_bad_one_refuses_them_all(tmp_path: Path, web: Web) -> None:
    header = GOOD.partition(b"\n")[0]
    (tmp_path / "2014-02.csv.gz").write_bytes(gzip.compress(header + b"\n2014-01-02T00:00Z,3.5\n"))
    (tmp_path / "2014-01.csv").write_bytes(GOOD)
    (tmp_path / "notes.txt").write_text("nothing of ours")
    assert demand(web, str(tmp_path)) == demand(web, str(tmp_path / "2014-*.csv*")) == [1.5, 2.5, 3.5]
    (tmp_path / "2014-03.csv").write_bytes(b"")
    with pytest.raises(SourceError, match=r"2014-03\.csv is empty"):
        demand(web, str(tmp_path))


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, 1.5),
        ({"unit": "MW"}, 0.75),
        ({"unit": "kWh"}, 0.0015),
        ({"unit": "GW", "scale": 2.0}, 1500.0),
    ],
)
def test_units_are_converted_once(options: dict[str, object], value: float, tmp_path: Path, web: Web) -> None:
    path = tmp_path / "demand.csv"
    path.write_bytes(GOOD)
    assert demand(web, str(path), **options)[0] == pytest.approx(value)


def test_a_column_may_say_when_each_reading_became_known(tmp_path: Path, web: Web) -> None:
    path = tmp_path / "demand.csv"
    path.write_text("interval_start,demand_mwh,seen\n2014-01-01T00:00Z,1,2014-01-05T00:00Z\n2014-01-01T00:30Z,2,\n")
    (batch,) = CsvSource(web, path=str(path), known_at="seen").read(SERIES, SINCE, UNTIL)
    assert batch.readings["known_at"].tolist() == [utc("2014-01-05 00:00")]
    assert batch.rejected["reason"].tolist() == ["seen is not a time"]


def test_no_malformed_file_does_harm(tmp_path: Path, web: Web) -> None:
    path = tmp_path / "demand.csv"
    header = b"interval_start,demand_mwh,temperature_c,holiday\n"
    hours = pd.date_range("2014-01-01", periods=8, freq="30min")
    local = header + b"".join(f"{hour:%Y-%m-%d %H:%M},{n},15.5,False\n".encode() for n, hour in enumerate(hours, start=100))
    good = [header + local[len(header) :].replace(b",1", b"+11:00,1"), local, gzip.compress(local), b"\xef\xbb\xbf" + GOOD]
    source = CsvSource(web, path=str(path), time_zone="Australia/Melbourne")
    now = datetime(2014, 2, 1, tzinfo=UTC)
    nothing = readings_frame(pd.DatetimeIndex([], tz="UTC"), np.empty(0))
    since = utc("2013-12-31 00:00")

    def look(body: bytes) -> None:
        path.write_bytes(body)
        for batch in source.read(SERIES, since, now):
            assert np.isfinite(batch.readings["value"]).all()
            assert (batch.readings["interval_start"] >= since).all()
            believed = inspected(batch)
            assert (believed.readings["interval_start"] + SERIES.interval <= now).all()
            assert (believed.readings["interval_start"].dt.floor(SERIES.interval) == believed.readings["interval_start"]).all()

    def inspected(batch: Batch) -> Batch:
        inspector = Inspector(SERIES.companion(batch.quantity), None, nothing, since, now, now)
        found, rest = inspector.inspect(batch), inspector.finish()
        check_batch(found)
        return Batch(batch.quantity, pd.concat([found.readings, rest.readings]), found.rejected)

    fuzz(
        good,
        look,
        b',"\n\r-:. +',
        [b"nan", b"1e400", b"2014-02-30", b'"', b"\0", b"\xff", b"9" * 5000, b"\xef\xbb\xbf", b"inf"],
        INPUTS // 5,
    )
