"""Broken documents of the Transparency Platform: finite values or a refusal, and nothing slow."""

import random
import re
import time
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from forecasting.calendar import grid_anchor
from forecasting.errors import SourceError
from forecasting.settings import WebSettings
from forecasting.sources.entsoe import EntsoeSource
from forecasting.sources.entsoe_document import DocumentError, RefusalError, means, read_load
from forecasting.sources.web import Web
from tests.feeds.entsoe_platform import KEY, NOTHING, SINCE, UNTIL, berlin, document, period, whole_day
from tests.unit.builders import utc

entsoe = pytest.importorskip("entsoe.entsoe", reason="needs the extra entsoe")

SEEDS = (
    document(whole_day()),
    document(whole_day("PT15M")),
    document(whole_day("PT30M", SINCE, utc("2024-03-31 02:00")), whole_day("PT15M", utc("2024-03-31 02:00"), UNTIL)),
    document(period(SINCE, UNTIL, {1: 100, 5: 200, 23: 300}), curve="A03"),
    NOTHING,
)
SPLICES = (
    "<",
    ">",
    "&",
    "<!--",
    "]]>",
    "<![CDATA[",
    "-",
    "9" * 30,
    "1e999",
    "NaN",
    "\0",
    "é",
    "</Period>",
    "<Point>",
    "PT1Y",
    "0000",
    "A03",
    "T",
    ",",
)


def mutated(chance: random.Random) -> str:
    """A document with one to four pieces deleted, doubled, moved, overwritten or cut off."""
    text = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 4)):
        a, b = sorted(chance.choices(range(len(text) + 1), k=2))
        b = min(b, a + chance.choice((1, 3, 10, 100, 1000)))
        digits = [match.start() for match in re.finditer(r"\d", text)]
        at = chance.choice(digits) if digits else 0
        text = chance.choice(
            (
                text[:a] + text[b:],
                text[:b] + text[a:],
                text[:a] + chance.choice(SPLICES) + text[b:],
                text[:a] + chance.choice(SPLICES) + text[a:],
                text[:at] + chance.choice("0123456789") + text[at + 1 :],
                text[:at] + chance.choice(SPLICES) + text[at + 1 :],
                text[:a] if chance.random() < 0.2 else text,
            )
        )
    return text


def test_ten_thousand_broken_documents_give_finite_values_or_a_refusal() -> None:
    chance = random.Random(20240331)  # noqa: S311
    outcomes, slowest = {"good": 0, "refused": 0}, 0.0
    anchor, hour = grid_anchor(berlin().zone, timedelta(hours=1)), timedelta(hours=1)
    for _ in range(10_000):
        text, started = mutated(chance), time.process_time()
        try:
            frame = means(read_load(text), anchor, hour)
            outcomes["good"] += 1
            assert np.isfinite(frame["power_mw"]).all()
            assert frame["interval_start"].notna().all()
        except (DocumentError, RefusalError):
            outcomes["refused"] += 1
        slowest = max(slowest, time.process_time() - started)
    assert slowest < 10
    assert min(outcomes.values()) > 1000, outcomes


def test_broken_documents_from_a_server_give_finite_readings_or_a_source_error(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(20241027)  # noqa: S311
    monkeypatch.setattr(entsoe, "URL", httpserver.url_for("/api"))
    monkeypatch.setenv("ENTSOE_API_KEY", KEY)
    httpserver.expect_request("/api").respond_with_handler(lambda _: Response(mutated(chance), content_type="text/xml"))
    source = EntsoeSource(Web(WebSettings(tries=1)), country_code="DE_LU")
    refused = 0
    for _ in range(1000):
        started = time.process_time()
        try:
            for batch in source.read(berlin(), SINCE, UNTIL):
                assert np.isfinite(batch.readings["value"]).all()
                assert batch.readings["interval_start"].between(pd.Timestamp(SINCE), pd.Timestamp(UNTIL) + timedelta(days=1)).all()
        except SourceError:
            refused += 1
        assert time.process_time() - started < 10
    assert 100 < refused < 1000


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_any_text_at_all_is_refused(text: str) -> None:
    with pytest.raises((DocumentError, RefusalError)):
        read_load(text)
