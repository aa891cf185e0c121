"""Answers of the Transparency Platform, written after its documented format, and a server on loopback that gives them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.domain import Quantity, Series
from forecasting.frames import Batch
from forecasting.settings import WebSettings
from forecasting.sources.entsoe import EntsoeSource
from forecasting.sources.web import Web
from tests.unit.builders import make_series, utc

KEY = "5ecret00-aaaa-4bbb-8ccc-0123456789ab"
SINCE, UNTIL = utc("2024-03-30 23:00"), utc("2024-03-31 22:00")
"""A day of 23 hours in Berlin."""
MINUTES = {"PT15M": 15, "PT30M": 30, "PT60M": 60}


def berlin(minutes: int = 60) -> Series:
    return make_series("de", zone="Europe/Berlin", region="DE", minutes=minutes)


def period(start: datetime, end: datetime, quantities: dict[int, object], resolution: str = "PT60M") -> str:
    """`quantities` by position."""
    points = "".join(
        f"<Point><position>{position}</position><quantity>{quantity}</quantity></Point>"
        for position, quantity in quantities.items()
    )
    times = f"<timeInterval><start>{start:%FT%R}Z</start><end>{end:%FT%R}Z</end></timeInterval>"
    return f"<Period>{times}<resolution>{resolution}</resolution>{points}</Period>"


def document(*periods: str, curve: str = "A01", unit: str = "MAW", kind: str = "A16") -> str:
    series = "".join(
        f"""<TimeSeries><mRID>{number}</mRID><businessType>A04</businessType><objectAggregation>A01</objectAggregation>
        <outBiddingZone_Domain.mRID codingScheme="A01">10Y1001A1001A82H</outBiddingZone_Domain.mRID>
        <quantity_Measure_Unit.name>{unit}</quantity_Measure_Unit.name><curveType>{curve}</curveType>{each}</TimeSeries>"""
        for number, each in enumerate(periods, start=1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0">
    <mRID>7c0a</mRID><revisionNumber>1</revisionNumber><type>A65</type><process.processType>{kind}</process.processType>
    <sender_MarketParticipant.mRID codingScheme="A01">10X1001A1001A450</sender_MarketParticipant.mRID>
    <createdDateTime>2024-05-01T06:00:00Z</createdDateTime>
    <time_Period.timeInterval><start>2024-03-30T23:00Z</start><end>2024-03-31T22:00Z</end></time_Period.timeInterval>
    {series}</GL_MarketDocument>"""


def acknowledgement(reason: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">
    <mRID>9d</mRID><createdDateTime>2024-05-01T06:00:00Z</createdDateTime>
    <Reason><code>999</code><text>{reason}</text></Reason></Acknowledgement_MarketDocument>"""


NOTHING = acknowledgement("No matching data found for Data item Actual Total Load [6.1.A] (10Y1001A1001A82H) and interval 2024.")


def whole_day(resolution: str = "PT60M", start: datetime = SINCE, end: datetime = UNTIL) -> str:
    """1000 MW in the first step, one more in each that follows."""
    steps = (end - start) // timedelta(minutes=MINUTES[resolution])
    return period(start, end, {n: 999 + n for n in range(1, steps + 1)}, resolution)


Platform = Callable[..., list[Batch]]


def play(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Give one answer for load and one for its forecast, and read what comes of it."""
    entsoe = pytest.importorskip("entsoe.entsoe", reason="needs the extra entsoe")
    monkeypatch.setattr(entsoe, "URL", httpserver.url_for("/api"))
    monkeypatch.setenv("ENTSOE_API_KEY", KEY)

    def read(
        load: str | Response,
        forecast: str | Response = NOTHING,
        series: Series | None = None,
        since: datetime = SINCE,
        until: datetime = UNTIL,
        **web: float,
    ) -> list[Batch]:
        def answer(request: Request) -> Response:
            chosen = {"A16": load, "A01": forecast}[request.args["processType"]]
            return Response(chosen, content_type="text/xml") if isinstance(chosen, str) else chosen

        httpserver.clear_all_handlers()
        httpserver.expect_request("/api").respond_with_handler(answer)
        source = EntsoeSource(Web(WebSettings(tries=1, backoff_s=0, **web)), country_code="DE_LU")
        return list(source.read(series or berlin(), since, until))

    return read


def values(batches: list[Batch], quantity: Quantity = Quantity.DEMAND) -> list[tuple[str, float]]:
    frames = [batch.readings for batch in batches if batch.quantity is quantity]
    return [(f"{row.interval_start:%d %R}", row.value) for frame in frames for row in frame.itertuples()]


def rejected(batches: list[Batch]) -> list[tuple[str, str, pd.Timestamp]]:
    return [(row.reason, row.raw, row.interval_start) for batch in batches for row in batch.rejected.itertuples()]
