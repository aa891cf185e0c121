import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.domain import Quantity
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch
from forecasting.sources.cells import between
from forecasting.sources.eia import EiaSource, parse_page, parse_rows
from forecasting.sources.web import Web
from tests.feeds.fuzzing import check_batch, fuzz
from tests.unit.builders import make_series, utc

KEY = "k3y-0f-th3-t3st"
SERIES = make_series("nyis", zone="America/New_York", region="US-NY", minutes=60)
SINCE, UNTIL = utc("2024-03-09 00:00"), utc("2024-03-12 00:00")
NAMES = {"D": "Demand", "DF": "Day-ahead demand forecast"}
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIA_API_KEY", KEY)


def row(end: datetime, kind: str = "D", value: object = "15432", **others: object) -> dict[str, Any]:
    """A row of the documented answer, about the hour that ends at `end`."""
    return {
        "period": f"{end:%Y-%m-%dT%H}",
        "respondent": "NYIS",
        "respondent-name": "New York Independent System Operator",
        "type": kind,
        "type-name": NAMES[kind],
        "value": value,
        "value-units": "megawatthours",
        **others,
    }


def answer(rows: list[Any], total: object) -> dict[str, Any]:
    return {
        "response": {"total": total, "dateFormat": 'YYYY-MM-DD"T"HH24', "frequency": "hourly", "data": rows, "description": "..."},
        "request": {"command": "/v2/electricity/rto/region-data/data/", "params": {"frequency": "hourly"}},
        "apiVersion": "2.1.8",
        "ExcelAddInVersion": "2.1.0",
    }


class Api:
    """EIA's server: sorts, filters, pages; `spoil` may change an answer before it is sent."""

    def __init__(self, server: HTTPServer, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows = rows if rows is not None else hours(SINCE, UNTIL) + hours(SINCE, UNTIL + timedelta(days=5), "DF")
        self.spoil: Callable[[Request, list[Any], int], Any] = lambda _, page, total: answer(page, str(total))
        self.asked: list[Request] = []
        server.expect_request("/v2/data/").respond_with_handler(self)
        self.url = server.url_for("/v2/data/")

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        asked = request.args
        if request.headers.get("X-Api-Key") != KEY:
            return Response('{"error": {"code": "API_KEY_INVALID"}}', status=403, content_type="application/json")
        assert asked["sort[0][column]"] == "period"
        assert asked["sort[0][direction]"] == "asc"
        assert (asked["frequency"], asked["data[]"]) == ("hourly", "value")
        found = [
            row
            for row in sorted(self.rows, key=lambda row: str(row["period"]))
            if row["type"] == asked["facets[type][]"]
            and asked["facets[respondent][]"] == "NYIS"
            and asked["start"] <= row["period"] <= asked["end"]
        ]
        offset, length = int(asked["offset"]), int(asked["length"])
        told = self.spoil(request, found[offset : offset + length], len(found))
        return told if isinstance(told, Response) else Response(json.dumps(told), content_type="application/json")


def hours(since: datetime, until: datetime, kind: str = "D") -> list[dict[str, Any]]:
    ends = pd.date_range(since + HOUR, until, freq="h")
    return [row(end, kind, str(15_000 + number + (kind == "DF"))) for number, end in enumerate(ends)]


def read(api: Api, web: Web, since: datetime = SINCE, until: datetime = UNTIL, **options: Any) -> list[Batch]:
    return list(EiaSource(web, respondent="NYIS", url=api.url, **options).read(SERIES, since, until))


def readings(batches: list[Batch], quantity: Quantity = Quantity.DEMAND) -> pd.Series:
    frames = [batch.readings for batch in batches if batch.quantity is quantity]
    return pd.concat(frames).set_index("interval_start")["value"]


def rejected(batches: list[Batch]) -> list[tuple[str, dict[str, str]]]:
    frames = [batch.rejected for batch in batches if batch.quantity is Quantity.DEMAND]
    return [(reason, json.loads(raw)) for frame in frames for reason, raw in zip(frame["reason"], frame["raw"], strict=True)]


# What is asked, and what comes


def test_a_period_is_the_end_of_its_hour(httpserver: HTTPServer, web: Web) -> None:
    found = readings(read(Api(httpserver), web))
    assert list(found.index) == list(pd.date_range(SINCE, UNTIL, freq="h", inclusive="left"))
    assert list(found) == [15_000.0 + number for number in range(72)]


def test_the_day_of_the_clock_change_has_all_its_hours(httpserver: HTTPServer, web: Web) -> None:
    found = readings(read(Api(httpserver), web, utc("2024-03-10 05:00"), utc("2024-03-11 04:00")))
    assert len(found) == 23
    assert found.index.is_unique


def test_the_operators_forecast_reaches_two_days_on(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    batches = read(api, web)
    found = readings(batches, Quantity.DEMAND_FORECAST)
    assert found.index[0] == pd.Timestamp(SINCE)
    assert found.index[-1] == pd.Timestamp(UNTIL + timedelta(days=2) - HOUR)
    assert found.iloc[0] == 15_001
    assert all("known_at" not in batch.readings for batch in batches)


def test_the_question_and_where_the_key_is(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    read(api, web)
    demand, forecast = api.asked
    assert (demand.args["start"], demand.args["end"]) == ("2024-03-09T01", "2024-03-12T00")
    assert (forecast.args["start"], forecast.args["end"]) == ("2024-03-09T01", "2024-03-14T00")
    assert demand.args["facets[respondent][]"] == "NYIS"
    assert demand.headers["X-Api-Key"] == KEY
    assert KEY not in demand.url


def test_a_window_without_an_hour_asks_nothing_of_the_demand(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    read(api, web, UNTIL, UNTIL)
    assert [request.args["facets[type][]"] for request in api.asked] == ["DF"]


@pytest.mark.parametrize("page_rows", [1, 5, 71, 72, 73])
@pytest.mark.parametrize("form", [str, int])
def test_pages_come_together(httpserver: HTTPServer, web: Web, page_rows: int, form: type) -> None:
    api = Api(httpserver, hours(SINCE, UNTIL))
    api.spoil = lambda _, page, total: answer(page, form(total))
    found = readings(read(api, web, page_rows=page_rows))
    assert len(found) == 72
    assert found.index.is_unique
    demand = [request for request in api.asked if request.args["facets[type][]"] == "D"]
    assert len(demand) == -(-72 // page_rows)


# Pages that go wrong


def test_a_page_that_repeats_rows_loses_and_doubles_none(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver, hours(SINCE, UNTIL))

    def repeat(request: Request, page: list[Any], total: int) -> dict[str, Any]:
        offset = int(request.args["offset"])
        return answer([*api.rows[max(0, offset - 2) : offset], *page][: int(request.args["length"])], total)

    api.spoil = repeat
    found = readings(read(api, web, page_rows=10))
    assert len(found) == 72
    assert found.index.is_unique


@pytest.mark.parametrize("rows", [0, 5])
def test_pages_that_bring_nothing_new_are_given_up(httpserver: HTTPServer, web: Web, rows: int) -> None:
    api = Api(httpserver)
    api.spoil = lambda request, page, total: answer(page if request.args["offset"] == "0" else api.rows[:rows], total)
    with pytest.raises(SourceError, match="gave 10 of 72 rows and then nothing new"):
        read(api, web, page_rows=10)
    assert len(api.asked) == 2


def test_a_total_may_change_on_the_way(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver, hours(SINCE, UNTIL))
    api.spoil = lambda request, page, total: answer(page, total - 2 if page and int(request.args["offset"]) < 20 else total)
    assert len(readings(read(api, web, page_rows=10))) == 72
    api.spoil = lambda request, page, total: answer(page, min(total, 30) if int(request.args["offset"]) >= 20 else total)
    assert len(readings(read(api, web, page_rows=10))) == 30


def test_rows_without_end_are_given_up(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    api.spoil = lambda request, _, __: answer([row(SINCE, value=request.args["offset"])], 10**6)
    with pytest.raises(SourceError, match="far more rows than there are hours"):
        read(api, web)
    assert len(api.asked) < 200


# Values and rows that go wrong


def test_what_is_not_published_yet_is_left_out(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver, hours(SINCE, UNTIL))
    api.rows[-1]["value"] = None
    batches = read(api, web)
    assert len(readings(batches)) == 71
    assert rejected(batches) == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"value": ""}, "no value"),
        ({"value": "n/a"}, "value is not a number"),
        ({"value": "NaN"}, "value is not a number"),
        ({"value": "1e400"}, "value is not a number"),
        ({"value": "9" * 400}, "value is not a number"),
        ({"value": "15,432"}, "value is not a number"),
        ({"value": ["15432"]}, "value is not a number"),
        ({"value": True}, "value is not a number"),
        ({"value-units": "megawatts"}, "value-units is not megawatthours"),
        ({"respondent": "PJM"}, "respondent is not NYIS"),
        ({"type": "NG"}, "type is not D"),
        ({"period": "2024-03-09"}, "period is not an hour"),
        ({"period": "2024-03-09T24"}, "period is not an hour"),
        ({"period": "2024-02-30T01"}, "period is not an hour"),
        ({"period": None}, "period is not an hour"),
        ({"period": "\ud800\0"}, "period is not an hour"),
    ],
)
def test_a_bad_row_is_set_aside_and_the_others_go_on(httpserver: HTTPServer, web: Web, fault: dict[str, Any], reason: str) -> None:
    api = Api(httpserver, hours(SINCE, UNTIL))
    bad = api.rows[7] | fault
    api.spoil = lambda _, page, total: answer([bad if at == 7 else given for at, given in enumerate(page)], total)
    batches = read(api, web)
    assert len(readings(batches)) == 71
    [(told, raw)] = rejected(batches)
    assert told == reason
    assert set(raw) == set(bad)
    for batch in batches:
        check_batch(batch)


def test_numbers_need_not_be_texts(httpserver: HTTPServer, web: Web) -> None:
    api = Api(
        httpserver, [row(SINCE + HOUR, value=15432), row(SINCE + 2 * HOUR, value=15432.5), row(SINCE + 3 * HOUR, value="-1.5")]
    )
    assert list(readings(read(api, web))) == [15432.0, 15432.5, -1.5]


def test_rows_that_nobody_asked_for_are_left_out(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    ends = (SINCE, SINCE + HOUR, UNTIL + timedelta(days=3), SINCE.replace(year=2099))
    api.spoil = lambda request, _, __: answer([row(end, request.args["facets[type][]"]) for end in ends], 4)
    batches = read(api, web)
    assert list(readings(batches).index) == [pd.Timestamp(SINCE)]
    assert rejected(batches) == []


# Answers that are none


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "proper JSON"),
        ("{", "proper JSON"),
        ('{"response": {"total": NaN, "data": []}}', "NaN is no number"),
        ('{"response": {"total": 1, "total": 2, "data": []}}', "given twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested too deeply"),
        ("[]", "without rows and their total"),
        ('{"error": "no such thing", "code": 404}', "without rows and their total"),
        ('{"response": {"data": []}}', "without rows and their total"),
        ('{"response": {"data": {}, "total": 5}}', "without rows and their total"),
        ('{"response": {"data": [], "total": -5}}', "without rows and their total"),
        ('{"response": {"data": [], "total": 1e400}}', "without rows and their total"),
        ('{"response": {"data": [5], "total": 1}}', "has rows of something else"),
        (json.dumps(answer([{**row(SINCE), "values": 1}], 1)).replace('"value":', '"amount":'), "it has changed"),
        ('{"response": {"data": [], "total": 5}}', "gave 0 of 5 rows"),
        ("9" * 5000, "proper JSON"),
    ],
)
def test_an_answer_that_is_none_is_refused(httpserver: HTTPServer, web: Web, body: str, problem: str) -> None:
    api = Api(httpserver)
    api.spoil = lambda *_: Response(body, content_type="application/json")
    with pytest.raises(SourceError, match=problem):
        read(api, web)


def test_no_rows_at_all_is_an_answer(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver, [])
    assert readings(read(api, web)).empty


@pytest.mark.parametrize("wrong", ["another-key", None, "", " ", "not\nahttp-header", "ключ"])
def test_a_wrong_key_is_told_by_its_variable_only(
    httpserver: HTTPServer, web: Web, monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    monkeypatch.setenv("MY_KEY", wrong) if wrong is not None else monkeypatch.delenv("EIA_API_KEY")
    api = Api(httpserver)
    with pytest.raises(SourceError if wrong == "another-key" else SettingsError, match="MY_KEY") as caught:
        read(api, web, api_key_env="MY_KEY")
    assert not (wrong or "").strip() or str(wrong) not in str(caught.value)
    assert len(api.asked) == (wrong == "another-key")


def test_a_key_may_end_in_a_newline(httpserver: HTTPServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIA_API_KEY", os.environ["EIA_API_KEY"] + "\n")
    assert len(readings(read(Api(httpserver), web))) == 72


@pytest.mark.parametrize(("minutes", "zone"), [(30, "America/New_York"), (60, "Asia/Kolkata")])
def test_only_full_hours_are_there(httpserver: HTTPServer, web: Web, minutes: int, zone: str) -> None:
    series = make_series("odd", zone=zone, minutes=minutes)
    with pytest.raises(SettingsError, match="series odd"):
        list(EiaSource(web, respondent="NYIS", url=Api(httpserver).url).read(series, SINCE, UNTIL))


def test_no_malformed_answer_does_harm() -> None:
    good = [
        json.dumps(answer(hours(SINCE, SINCE + 8 * HOUR), "8")).encode(),
        json.dumps(answer([row(SINCE, value=None)], 1)).encode(),
    ]

    def look(body: bytes) -> None:
        _, rows = parse_page(body, "api.eia.gov/v2")
        batch = parse_rows(rows, "NYIS", Quantity.DEMAND)
        check_batch(between(batch, SINCE, UNTIL))
        assert batch.rows <= len(rows)

    deep = b"[" * 500 + b"]" * 500
    poison = [
        b"NaN",
        b"null",
        b"1e400",
        b"-Infinity",
        b"9" * 5000,
        b"{}",
        deep,
        b'"\\ud800\\u0000"',
        b'"total": 1,',
        b'"',
        b"\0",
        b"true",
    ]
    fuzz(good, look, b'{}[],:"', poison)
