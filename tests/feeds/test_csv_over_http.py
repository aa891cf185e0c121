"""CSV from a real HTTP server: what comes before the first byte of a table, and what may go wrong until the last."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.errors import SourceError
from forecasting.sources.csv import CsvSource
from forecasting.sources.web import Web
from tests.feeds.conftest import RudeServer
from tests.unit.builders import make_series, utc

SINCE, UNTIL = utc("2014-01-01 00:00"), utc("2034-01-01 00:00")
HEADER = b"interval_start,demand_mwh\n"
GOOD = HEADER + b"2014-01-01T00:00Z,1.5\n2014-01-01T00:30Z,2.5\n"


def read(web: Web, url: str, **options: str) -> pd.DataFrame:
    batches = list(CsvSource(web, path=url, **options).read(make_series(), SINCE, UNTIL))
    assert all(batch.rejected.empty for batch in batches)
    return pd.concat([batch.readings for batch in batches], ignore_index=True)


def refusal(web: Web, url: str) -> str:
    with pytest.raises(SourceError) as caught:
        read(web, url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_table_that_the_server_packs_is_unpacked_once(httpserver: HTTPServer, web: Web) -> None:
    packed = {"Content-Encoding": "gzip"}
    httpserver.expect_request("/a.csv").respond_with_data(gzip.compress(GOOD), headers=packed, content_type="text/csv")
    httpserver.expect_request("/a.csv.gz").respond_with_data(gzip.compress(gzip.compress(GOOD)), headers=packed)
    assert read(web, httpserver.url_for("/a.csv"))["value"].tolist() == [1.5, 2.5]
    assert read(web, httpserver.url_for("/a.csv.gz"))["value"].tolist() == [1.5, 2.5]


def test_a_large_table_comes_in_pieces(httpserver: HTTPServer, web: Web) -> None:
    starts = pd.date_range("2014-01-01", periods=250_000, freq="30min").strftime("%Y-%m-%dT%H:%MZ")
    body = HEADER + "".join(f"{start},{number}\n" for number, start in enumerate(starts)).encode()
    httpserver.expect_request("/a.csv").respond_with_data(body, content_type="text/csv")
    found = read(web, httpserver.url_for("/a.csv"))
    assert found["value"].tolist() == list(range(250_000))


def test_signs_of_a_pattern_in_an_address_are_no_pattern(httpserver: HTTPServer, web: Web) -> None:
    httpserver.expect_request("/a[1].csv", query_string="key=*").respond_with_data(GOOD, content_type="text/csv")
    assert len(read(web, httpserver.url_for("/a[1].csv?key=*"))) == 2


def test_a_server_that_is_busy_at_first_is_asked_again(httpserver: HTTPServer, web: Web) -> None:
    httpserver.expect_ordered_request("/a.csv").respond_with_data("", status=503, headers={"Retry-After": "0"})
    httpserver.expect_ordered_request("/a.csv").respond_with_data(GOOD, content_type="text/csv")
    assert len(read(web, httpserver.url_for("/a.csv"))) == 2


def test_a_table_that_moved_is_found(httpserver: HTTPServer, web: Web) -> None:
    def moved(_: Request) -> Response:
        return Response(status=302, headers={"Location": httpserver.url_for("/b.csv")})

    httpserver.expect_request("/a.csv").respond_with_handler(moved)
    httpserver.expect_request("/b.csv").respond_with_data(GOOD, content_type="text/csv")
    assert len(read(web, httpserver.url_for("/a.csv"))) == 2


def test_one_bad_row_of_a_table_on_the_web_is_rejected_with_its_cells(httpserver: HTTPServer, web: Web) -> None:
    httpserver.expect_request("/a.csv").respond_with_data(GOOD + b"2014-02-30T00:00Z,3\n", content_type="text/csv")
    (batch,) = CsvSource(web, path=httpserver.url_for("/a.csv")).read(make_series(), SINCE, UNTIL)
    assert len(batch.readings) == 2
    assert "2014-02-30T00:00Z" in batch.rejected["raw"][0]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\n\n", "is empty"),
        (b"interval_start,load\n", "no column called 'demand_mwh'"),
        (gzip.compress(GOOD * 99, mtime=0)[:-9], "not a readable CSV file"),
        (GOOD + b'2014-01-01T01:00Z,"3', "ends within quotes"),
        (b"<html><body>Log in</body></html>", "web page"),
    ],
)
def test_a_refusal_names_the_place_without_user_password_or_key(body: bytes, told: str, httpserver: HTTPServer, web: Web) -> None:
    httpserver.expect_request("/a@b.csv").respond_with_data(body, content_type="text/csv")
    problem = refusal(web, httpserver.url_for("/a@b.csv?key=hidden").replace("http://", "HTTP://user:secret@"))
    assert told in problem
    assert f"{httpserver.host}:{httpserver.port}/a@b.csv" in problem
    assert "hidden" not in problem
    assert "secret" not in problem


def test_nothing_is_left_of_a_body_that_stopped_half_way(rude: RudeServer, web: Web, tmp_path: Path) -> None:
    """The rows that came before the end are not taken for all there are: none of them gets out."""
    rude.answers = [[b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 5000\r\n\r\n" + GOOD]]
    batches = CsvSource(web, path=f"{rude.url}/a.csv").read(make_series(), SINCE, UNTIL)
    with pytest.raises(SourceError, match="stopped in the middle"):
        next(batches)
    rude.answers = [*rude.answers * len(rude.requests), [b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n" + GOOD]]
    assert len(read(web, f"{rude.url}/a.csv")) == 2
