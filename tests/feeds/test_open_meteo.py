import itertools
import json
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.calendar import EPOCH
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch
from forecasting.sources.open_meteo import OpenMeteoSource, parse_hours
from forecasting.sources.web import Web
from tests.feeds.fuzzing import check_batch, fuzz
from tests.unit.builders import make_series, utc

UNTIL = utc("2024-05-20 06:00")
TODAY = UNTIL.date()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN, DELHI = "Europe/Berlin", "Asia/Kolkata"


def weather(zone: str = BERLIN, minutes: int = 60) -> Series:
    return make_series("de", zone=zone, region="DE", minutes=minutes).companion(Quantity.TEMPERATURE)


def temperature_c(moment: pd.Timestamp | datetime) -> float:
    """A temperature that tells its hour."""
    return round(10 + moment.hour + moment.day / 100, 2)


def answer(first: date, days: int, **others: Any) -> dict[str, Any]:
    """The documented answer: whole days of hours from midnight on."""
    moments = pd.date_range(first, periods=24 * days, freq="h", tz="UTC")
    return {
        "latitude": 52.52,
        "longitude": 13.419998,
        "generationtime_ms": 0.02,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "timezone_abbreviation": "GMT",
        "elevation": 38.0,
        "hourly_units": {"time": "unixtime", "temperature_2m": "°C"},
        "hourly": {
            "time": [int(moment.timestamp()) for moment in moments],
            "temperature_2m": [temperature_c(moment) for moment in moments],
        },
        **others,
    }


class Api:
    """Open-Meteo's two servers on the day `today`. The archive's newest days are null; its values are 0.5 above the forecast's."""

    def __init__(self, server: HTTPServer, today: date = TODAY, archive_delay_days: int = 5) -> None:
        self.today, self.archived = today, today - timedelta(days=archive_delay_days)
        self.asked: list[dict[str, str]] = []
        self.changed: dict[str, Any] = {}
        for path, handler in (("/v1/forecast", self.forecast), ("/v1/archive", self.archive)):
            server.expect_request(path).respond_with_handler(handler)
        self.options = {"forecast_url": server.url_for("/v1/forecast"), "archive_url": server.url_for("/v1/archive")}

    def forecast(self, request: Request) -> Response:
        self.asked.append({"of": "forecast", **request.args})
        past = int(request.args["past_days"])
        return self.send(answer(self.today - timedelta(days=past), past + int(request.args["forecast_days"])))

    def archive(self, request: Request) -> Response:
        self.asked.append({"of": "archive", **request.args})
        first, last = (date.fromisoformat(request.args[name]) for name in ("start_date", "end_date"))
        if last > self.today:
            reason = f"Parameter 'end_date' is out of allowed range from 1940-01-01 to {self.today}"
            return Response(json.dumps({"error": True, "reason": reason}), status=400, content_type="application/json")
        told = answer(first, (last - first).days + 1)
        limit_s = (datetime.combine(self.archived, datetime.min.time(), EPOCH.tzinfo) - EPOCH).total_seconds()
        hourly = told["hourly"]
        hourly["temperature_2m"] = [
            None if at >= limit_s else round(value + 0.5, 2)
            for at, value in zip(hourly["time"], hourly["temperature_2m"], strict=True)
        ]
        return self.send(told)

    def send(self, told: dict[str, Any]) -> Response:
        return Response(json.dumps({**told, **self.changed}), content_type="application/json; charset=utf-8")

    @property
    def places(self) -> list[str]:
        return [asked["of"] for asked in self.asked]


def read(api: Api, web: Web, since: datetime, until: datetime = UNTIL, series: Series | None = None, **options: Any) -> list[Batch]:
    source = OpenMeteoSource(web, latitude=52.52, longitude=13.41, **{**api.options, **options})
    batches = list(source.read(series or weather(), since, until))
    for batch in batches:
        check_batch(Batch(batch.quantity, batch.readings[["interval_start", "value"]], batch.rejected))
    return batches


def readings(batches: list[Batch], quantity: Quantity = Quantity.TEMPERATURE) -> pd.Series:
    frames = [batch.readings for batch in batches if batch.quantity is quantity]
    return pd.concat(frames).set_index("interval_start")["value"] if frames else pd.Series(dtype=float)


# The present


def test_the_past_comes_from_the_archive_and_the_last_days_from_the_forecast(httpserver: HTTPServer, web: Web) -> None:
    since = UNTIL - 10 * DAY
    found = readings(read(Api(httpserver), web, since))
    assert list(found.index) == list(pd.date_range(since, UNTIL, freq="h", inclusive="left"))
    archived = found.index < pd.Timestamp("2024-05-15", tz="UTC")
    assert archived.sum() == 4 * 24 + 18
    assert list(found) == pytest.approx([temperature_c(at) + 0.5 * old for at, old in zip(found.index, archived, strict=True)])


def test_the_archive_wins_where_it_is_quicker_than_it_promises(httpserver: HTTPServer, web: Web) -> None:
    found = readings(read(Api(httpserver, archive_delay_days=2), web, UNTIL - 10 * DAY))
    assert len(found) == 240
    assert found.index.is_unique
    assert found[pd.Timestamp("2024-05-15 23:00", tz="UTC")] == temperature_c(utc("2024-05-15 23:00")) + 0.5
    assert found[pd.Timestamp("2024-05-16 00:00", tz="UTC")] == temperature_c(utc("2024-05-16 00:00"))


def test_where_the_archive_is_slower_than_it_promises_hours_stay_open(httpserver: HTTPServer, web: Web) -> None:
    found = readings(read(Api(httpserver, archive_delay_days=7), web, UNTIL - 10 * DAY))
    missing = pd.date_range(UNTIL - 10 * DAY, UNTIL, freq="h", inclusive="left").difference(found.index)
    assert list(missing) == list(pd.date_range("2024-05-13", "2024-05-15", freq="h", tz="UTC", inclusive="left"))


def test_the_forecast_was_known_when_it_was_asked_for(httpserver: HTTPServer, web: Web) -> None:
    batches = read(Api(httpserver), web, UNTIL - 7 * DAY)
    [forecast] = [batch.readings for batch in batches if batch.quantity is Quantity.TEMPERATURE_FORECAST]
    assert forecast["interval_start"].iloc[0] == pd.Timestamp(UNTIL)
    assert forecast["interval_start"].iloc[-1] == pd.Timestamp("2024-06-04 23:00", tz="UTC")
    assert set(forecast["known_at"]) == {pd.Timestamp(UNTIL)}
    assert forecast["value"].iloc[0] == temperature_c(UNTIL)


def test_the_questions(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    read(api, web, UNTIL - 10 * DAY)
    common = {"latitude": "52.52", "longitude": "13.41", "hourly": "temperature_2m", "timezone": "GMT", "timeformat": "unixtime"}
    assert api.asked == [
        {"of": "forecast", **common, "past_days": "5", "forecast_days": "16"},
        {"of": "archive", **common, "start_date": "2024-05-10", "end_date": "2024-05-15"},
    ]


def test_a_short_window_does_without_the_archive(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    assert len(readings(read(api, web, UNTIL - 2 * DAY))) == 48
    assert api.places == ["forecast"]
    assert api.asked[0]["past_days"] == "2"


# A past that is replayed


@pytest.mark.parametrize("today", [TODAY + DAY, TODAY + 400 * DAY, TODAY - DAY])
def test_a_replay_takes_nothing_from_a_forecast_of_another_day(httpserver: HTTPServer, web: Web, today: date) -> None:
    api = Api(httpserver, today, archive_delay_days=-30)
    if today < TODAY:
        with pytest.raises(SourceError, match="'end_date' is out of allowed range"):
            read(api, web, UNTIL - 10 * DAY)
        return
    batches = read(api, web, UNTIL - 10 * DAY)
    assert {batch.quantity for batch in batches} == {Quantity.TEMPERATURE}
    found = readings(batches)
    assert list(found.index) == list(pd.date_range(UNTIL - 10 * DAY, UNTIL, freq="h", inclusive="left"))
    assert list(found) == pytest.approx([temperature_c(at) + 0.5 for at in found.index])
    assert api.asked[-1]["end_date"] == "2024-05-20"


def test_a_long_past_comes_in_parts_without_seam(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver, TODAY + 100 * DAY)
    found = readings(read(api, web, UNTIL - 1000 * DAY))
    assert api.places == ["forecast", "archive", "archive", "archive"]
    assert list(found.index) == list(pd.date_range(UNTIL - 1000 * DAY, UNTIL, freq="h", inclusive="left"))


def test_windows_one_after_the_other_leave_open_only_what_the_archive_lacks(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    edges = [UNTIL - 40 * DAY, UNTIL - 20 * DAY, UNTIL - 3 * DAY, UNTIL]
    found = [readings(read(api, web, start, stop)) for start, stop in itertools.pairwise(edges)]
    seen = pd.concat(found).index
    missing = pd.date_range(edges[0], UNTIL, freq="h", inclusive="left").difference(seen)
    # Of the replayed window before the last, what the archive does not have yet is left for a gap to be asked for again.
    assert list(missing) == list(pd.date_range(utc("2024-05-15 00:00"), UNTIL - 3 * DAY, freq="h", inclusive="left"))


# Grids


def test_where_the_grid_is_half_an_hour_off_an_hour_is_the_middle_of_its_interval(httpserver: HTTPServer, web: Web) -> None:
    api = Api(httpserver)
    until = UNTIL + HOUR / 2
    batches = read(api, web, until - 8 * DAY, until, weather(DELHI))
    found = readings(batches)
    assert list(found.index) == list(pd.date_range(until - 8 * DAY, until, freq="h", inclusive="left"))
    assert found.iloc[-1] == temperature_c(until - HOUR / 2)
    assert readings(batches, Quantity.TEMPERATURE_FORECAST).index[0] == pd.Timestamp(until)


def test_other_intervals_than_hours_are_refused(httpserver: HTTPServer, web: Web) -> None:
    with pytest.raises(SettingsError, match="set interval_minutes of its weather to 60"):
        read(Api(httpserver), web, UNTIL - DAY, series=weather(minutes=30))


# Answers that go wrong


def spoilt(**hourly: list[Any]) -> bytes:
    told = answer(TODAY, 1)
    told["hourly"].update(hourly)
    return json.dumps(told).encode()


def test_an_hour_without_a_temperature_is_left_out() -> None:
    hours = parse_hours(spoilt(temperature_2m=[None, *[1.0] * 23]), "x")
    assert len(hours.readings) == 23
    assert len(hours.rejected) == 0


@pytest.mark.parametrize("value", ["12.5", "", True, [1], {"a": 1}, 10**400, 10**20])
def test_a_temperature_that_is_no_number_is_set_aside(value: Any) -> None:
    hours = parse_hours(spoilt(temperature_2m=[1.0, value, *[1] * 22]), "x")
    assert len(hours.readings) == 23
    assert list(hours.rejected["reason"]) == ["temperature_2m is not a number"]
    assert list(hours.rejected["interval_start"]) == [pd.Timestamp(TODAY, tz="UTC") + HOUR]


@pytest.mark.parametrize("moment", ["2024-05-20T01:00", None, 1.5, True, -5, 10**15, 10**400])
@pytest.mark.parametrize("value", [1.0, None])
def test_a_time_that_is_none_is_set_aside(moment: Any, value: float | None) -> None:
    first = int((datetime.combine(TODAY, datetime.min.time(), EPOCH.tzinfo) - EPOCH).total_seconds())
    hours = parse_hours(spoilt(time=[first, moment], temperature_2m=[2.0, value]), "x")
    assert list(hours.readings["value"]) == [2.0]
    assert list(hours.rejected["reason"]) == ["time is not a time"]
    assert hours.rejected["interval_start"].isna().all()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"hourly_units": {"time": "unixtime", "temperature_2m": "°F"}}, "°F"),
        ({"hourly_units": {"time": "iso8601", "temperature_2m": "°C"}}, "iso8601"),
        ({"hourly_units": None}, "it has changed"),
        ({"utc_offset_seconds": 3600}, "3600"),
        ({"hourly": {"time": [], "temperature_2m": []}}, "without hours"),
        ({"hourly": {"time": [0, 3600], "temperature_2m": [1.0]}}, "without hours"),
        ({"hourly": {"time": [0], "temperature": [1.0]}}, "without hours"),
        ({"hourly": [1]}, "without hours"),
        ({"hourly": {"time": [3600], "temperature_2m": [1.0]}}, "does not begin at midnight"),
        ({"hourly": {"time": ["x"], "temperature_2m": [1.0]}}, "does not begin at midnight"),
    ],
)
def test_an_answer_of_another_form_is_refused(httpserver: HTTPServer, web: Web, changed: dict[str, Any], problem: str) -> None:
    api = Api(httpserver)
    api.changed = changed
    with pytest.raises(SourceError, match=problem):
        read(api, web, UNTIL - DAY)


@pytest.mark.parametrize("status", [200, 400])
def test_the_reason_of_a_refusal_is_told(httpserver: HTTPServer, web: Web, status: int) -> None:
    told = {"error": True, "reason": "Latitude must be in range of -90 to 90°.\nGiven: 520."}
    for path in ("/v1/forecast", "/v1/archive"):
        httpserver.expect_oneshot_request(path).respond_with_json(told, status=status)
    api = Api(httpserver)
    with pytest.raises(SourceError, match=r": Latitude must be in range of -90 to 90°\. Given: 520\.; "):
        read(api, web, UNTIL - DAY)


@pytest.mark.parametrize("wrong", [{"latitude": 91}, {"longitude": "east"}, {"forecast_days": 17}, {"model": "best"}])
def test_options_are_checked(web: Web, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        OpenMeteoSource(web, **{"latitude": 0, "longitude": 0, **wrong})


def test_no_malformed_answer_does_harm() -> None:
    good = [json.dumps(answer(TODAY, 1)).encode(), spoilt(temperature_2m=[None] * 24)]

    def look(body: bytes) -> None:
        hours = parse_hours(body, "api.open-meteo.com/v1/forecast")
        check_batch(Batch(Quantity.TEMPERATURE, hours.readings[hours.readings["interval_start"].dt.year > 1970], hours.rejected))
        assert np.isfinite(hours.readings["value"]).all()

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
        b'"hourly": 1,',
        b'"',
        b"\0",
        b"1e3",
    ]
    fuzz(good, look, b'{}[],:"', poison)
