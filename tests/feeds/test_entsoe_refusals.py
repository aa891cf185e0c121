"""What the Transparency Platform says when it gives nothing, and broken documents."""

import builtins
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Response

from forecasting.errors import SettingsError, SourceError
from forecasting.settings import WebSettings
from forecasting.sources.entsoe import EntsoeSource
from forecasting.sources.web import Web
from tests.feeds.entsoe_platform import (
    KEY,
    NOTHING,
    SINCE,
    UNTIL,
    Platform,
    acknowledgement,
    berlin,
    document,
    period,
    play,
    rejected,
    whole_day,
)

entsoe = pytest.importorskip("entsoe.entsoe", reason="needs the extra entsoe")


@pytest.fixture
def platform(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Platform:
    return play(httpserver, monkeypatch)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("content_type", ["text/xml", "application/xml", "text/xml; charset=utf-8", "text/plain"])
def test_nothing_there_yet_is_no_failure(platform: Platform, status: int, content_type: str) -> None:
    assert platform(Response(NOTHING, status, content_type=content_type)) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response("Unauthorized", 401), r"does not let us in \(401\); check the key in ENTSOE_API_KEY"),
        (Response("<html>Forbidden</html>", 403), r"does not let us in \(403\)"),
        (Response("slow down", 429), r"was asked too often \(429\); try again later"),
        (Response("<html><body>Service Unavailable</body></html>", 503), r"is out of order \(503\); try again later"),
        (Response(acknowledgement("Delivered time interval is not valid"), 400), "refused the question for DE_LU: Delivered"),
        (Response("bad", 400), r"refused the question \(400\)"),
        (acknowledgement("The amount of requested data exceeds allowed limit"), "refused the question for DE_LU: The amount of"),
        ("<!DOCTYPE html><html><body>Maintenance</body></html>", "answered for DE_LU with a web page; try again later"),
        ("<html><body><p>Maintenance</p></body></html>", "with a web page"),
        ("<html><p>Maintenance<br></html>", "with not XML, or cut short"),
        ("", "with not XML, or cut short: no element found"),
        ("{}", "with not XML"),
        ("<Other/>", "with a 'Other' in place of a GL_MarketDocument"),
        (document(), "with no period in it"),
        (document(whole_day())[:2000], "with not XML, or cut short"),
        (document(whole_day(), unit="KWT"), "with load in 'KWT' instead of MAW"),
        (document(whole_day(), curve="A02"), "with a curve of type 'A02'"),
        (document(whole_day().replace("PT60M", "P1D")), "with a resolution of 'P1D'"),
        (document(whole_day().replace("PT60M", "")), "with a resolution of ''"),
        (document(whole_day().replace("2024-03-30T23:00Z", "2024-03-30T23:00")), "'2024-03-30T23:00' in place of a time in UTC"),
        (document(whole_day().replace("2024-03-30T23:00Z", "2024-02-30T23:00Z")), "'2024-02-30T23:00Z' in place of a time in UTC"),
        (document(whole_day().replace("2024-03-31T22:00Z", "9999-03-31T22:00Z")), "a period from 2024-03-30T23:00Z to 9999"),
        (document(whole_day().replace("2024-03-31T22:00Z", "2024-03-31T22:30Z")), "a period from .* to 2024-03-31T22:30Z"),
        ('<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><GL_MarketDocument>&c;</GL_MarketDocument>', "a document type"),
        (document(whole_day()).replace("<Period>", "").replace("</Period>", ""), "a Point outside of a TimeSeries"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_what_it_should_be_is_refused_in_one_line(
    platform: Platform, answer: str | Response, words: str
) -> None:
    with pytest.raises(SourceError, match=words) as error:
        platform(answer)
    assert str(error.value).startswith("the ENTSO-E Transparency Platform ")
    assert "\n" not in str(error.value)


def test_a_forecast_that_is_refused_refuses_the_whole(platform: Platform) -> None:
    with pytest.raises(SourceError, match=r"\(503\)"):
        platform(document(whole_day()), Response("", 503))


@pytest.fixture
def everything_told(caplog: pytest.LogCaptureFixture) -> Callable[[BaseException | None], str]:
    """All that was logged, and an exception with whatever hangs on it."""
    caplog.set_level(logging.DEBUG)

    def told(error: BaseException | None) -> str:
        ours = [record for record in caplog.records if record.name != "werkzeug"]  # the server of the test
        parts = [*(record.getMessage() for record in ours), *(str(record.args) for record in ours)]
        while error is not None:
            parts += [str(error), repr(error), *traceback.format_exception(error)]
            assert error.__cause__ is None or error.__context__ is error.__cause__
            error = error.__context__
        return "\n".join(parts)

    return told


@pytest.mark.parametrize(
    "answer",
    [
        document(whole_day()),
        Response("Unauthorized", 401),
        Response("", 503),
        Response(f"<html>securityToken={KEY}</html>", 400),
        acknowledgement(f"Invalid value {KEY} of securityToken"),
        f"<{'x' + KEY}/>",
        document(period(SINCE, UNTIL, {1: 1, 2: KEY})),
    ],
)
def test_the_key_is_told_nowhere(platform: Platform, answer: str | Response, everything_told: Callable[..., str]) -> None:
    error, found = None, []
    try:
        found = platform(answer)
    except SourceError as raised:
        error = raised
    assert KEY not in everything_told(error)
    assert not any(KEY in raw for _, raw, _ in rejected(found))


@pytest.mark.parametrize("key", [KEY, "a key/with=odd&signs+%"])
def test_the_key_is_not_told_when_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, everything_told: Callable[..., str], key: str
) -> None:
    monkeypatch.setattr(entsoe, "URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("ENTSOE_API_KEY", key)
    source = EntsoeSource(Web(WebSettings(tries=2, backoff_s=0)), country_code="DE_LU")
    with pytest.raises(SourceError, match=r"cannot be reached|kept answering|did not answer") as error:
        list(source.read(berlin(), SINCE, UNTIL))
    told = everything_told(error.value)
    assert not any(form in told for form in (key, key.replace(" ", "+"), "a+key%2Fwith%3D", "a%20key"))


def test_a_platform_that_does_not_answer_is_given_up(platform: Platform) -> None:
    release = threading.Event()

    def stall() -> Iterator[bytes]:
        release.wait(10)
        yield NOTHING.encode()

    started = time.monotonic()
    with pytest.raises(SourceError, match=r"did not answer within 0\.2 s|cannot be reached"):
        platform(Response(stall(), content_type="text/xml"), timeout_s=0.2)
    release.set()
    assert time.monotonic() - started < 5


def test_an_answer_that_never_ends_is_given_up(platform: Platform) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(100):
            time.sleep(0.05)
            yield b" " * (1 << 16)

    with pytest.raises(SourceError, match=r"sends more than 64 MiB, or for more than 0\.3 s"):
        platform(Response(drip(), content_type="text/xml"), total_s=0.3)


def test_without_a_key_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENTSOE_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="series de: environment variable ENTSOE_API_KEY is not set; set it to the key"):
        list(EntsoeSource(Web(), country_code="DE_LU").read(berlin(), SINCE, UNTIL))
    with pytest.raises(SettingsError, match="variable OTHER_KEY is not set"):
        list(EntsoeSource(Web(), country_code="DE_LU", api_key_env="OTHER_KEY").read(berlin(), SINCE, UNTIL))


def test_areas_are_those_of_the_table() -> None:
    with pytest.raises(SettingsError, match="ENTSO-E has no area 'DE_LX'; use a code of entsoe-py's table, such as DE_LU"):
        EntsoeSource(Web(), country_code="DE_LX")
    with pytest.raises(ValidationError, match="country"):
        EntsoeSource(Web(), country_code="DE_LU", country="DE")


def test_without_the_library_its_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("entsoe"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SettingsError, match=r"needs the package entsoe-py; install it: bash deploy/install\.sh entsoe"):
        EntsoeSource(Web(), country_code="DE_LU")
