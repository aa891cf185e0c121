"""Load of a European bidding zone or country, and its operator's day-ahead forecast, from the ENTSO-E Transparency Platform.

entsoe-py knows the areas and asks the questions, through our own session; `entsoe_document` reads the answers.
"""

import difflib
import io
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import quote, quote_plus

import numpy as np
import pandas as pd
import requests
import urllib3
from pydantic import BaseModel, ConfigDict, Field

from forecasting import calendar
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.sources.entsoe_document import NOTHING_YET, DocumentError, Load, RefusalError, means, read_load
from forecasting.sources.units import mwh_factor
from forecasting.sources.web import Web

logger = logging.getLogger(__name__)

PLACE = "the ENTSO-E Transparency Platform"
DAY_AHEAD = "A01"
PART = timedelta(days=28)
"""What is asked for at once; the platform gives a month at most."""
PUBLISHED_AHEAD = timedelta(hours=14)
"""The day-ahead forecast is out by ten in the morning, two hours before the market closes (Regulation (EU) 543/2013, Article 6)."""
LARGEST_BYTES = 64 << 20
"""A hundred times a document of four weeks by quarter hours."""
TALKATIVE = ("urllib3.connectionpool", "urllib3.util.retry", "cachecontrol.controller", "entsoe.entsoe", "forecasting.sources.web")
"""Loggers that tell whole URLs, in which the platform wants its key."""


class EntsoeOptions(BaseModel):
    """Which area, and where the key is. A key is free: transparency.entsoe.eu, My Account, Web API Security Token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country_code: str
    """As entsoe-py calls it, such as DE_LU, FR or IT_NORD."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "ENTSOE_API_KEY"


class EntsoeSource:
    """Mean load in MW of 15, 30 or 60 minutes; means over a longer interval are taken where all of it is there.

    The platform gives a corrected point beside the one it corrects, and does not say which is newer: both are handed on.
    """

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = PART

    def __init__(self, web: Web, **options: Any) -> None:
        """Raises SettingsError for an area that is not in the table, or where entsoe-py is not installed."""
        self.web, self.options = web, EntsoeOptions(**options)
        _require_area(self.options.country_code)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        key = os.environ.get(self.options.api_key_env)
        if not key:
            raise SettingsError(
                f"series {series.series_id}: environment variable {self.options.api_key_env} is not set",
                "set it to the key that transparency.entsoe.eu gives under My Account, Web API Security Token",
            )
        tomorrow = calendar.day_bounds((until + PUBLISHED_AHEAD).astimezone(series.zone).date(), series.zone)[1]
        anchor = calendar.grid_anchor(series.zone, series.interval)
        first = anchor - (anchor - since) // series.interval * series.interval
        for quantity, end in ((Quantity.DEMAND, until), (Quantity.DEMAND_FORECAST, max(until, tomorrow))):
            last = anchor + (end - anchor) // series.interval * series.interval
            for start in (first + n * PART for n in range(-((first - last) // PART))):
                stop = min(start + PART, last)
                load = self._load(quantity, start, stop, key)
                if load is not None and self._fits(load, quantity, series):
                    yield _batch(load, quantity, series, start, stop)

    def _load(self, quantity: Quantity, start: datetime, stop: datetime, key: str) -> Load | None:
        """What the platform has of a stretch; None where it has nothing yet."""
        from entsoe.entsoe import EntsoeRawClient
        from entsoe.exceptions import NoMatchingDataError

        area = self.options.country_code
        # The library logs its key and puts it into exceptions, so it gets none: our session adds it to each request.
        session = _Session(self.web, self.options.api_key_env, key)
        client = EntsoeRawClient("none", session=cast("requests.Session", session), retry_count=1)
        asked = {"start": pd.Timestamp(start).floor("h"), "end": pd.Timestamp(stop).ceil("h")}
        try:
            if quantity is Quantity.DEMAND:
                return read_load(client.query_load(area, **asked))
            return read_load(client.query_load_forecast(area, **asked, process_type=DAY_AHEAD))
        except NoMatchingDataError:
            return None
        except RefusalError as refusal:
            if NOTHING_YET in str(refusal):
                return None
            raise SourceError(f"{PLACE} refused the question for {area}: {refusal}", "correct the series' options") from None
        except DocumentError as error:
            raise SourceError(f"{PLACE} answered for {area} with {error}", "try again later; should it last, report it") from None

    def _fits(self, load: Load, quantity: Quantity, series: Series) -> bool:
        """Whether the series' intervals can be made of the points; a rival's forecast that cannot is left out.

        Raises:
            SourceError: the demand itself is too coarse.
        """
        odd = load.step[np.timedelta64(series.interval) % load.step != np.timedelta64(0)]
        if not len(odd):
            return True
        minutes = odd.max() // np.timedelta64(1, "m")
        problem = (
            f"{PLACE} has {quantity} of {self.options.country_code} by {minutes} minutes, "
            f"which make no intervals of {series.interval // timedelta(minutes=1)}"
        )
        if quantity is Quantity.DEMAND:
            raise SourceError(problem, f"give series {series.series_id} an interval_minutes that is {minutes} or a multiple of it")
        logger.warning("series %s: %s; it was left out", series.series_id, problem)
        return False


def _batch(load: Load, quantity: Quantity, series: Series, start: datetime, stop: datetime) -> Batch:
    """Means over the intervals of the series that begin from `start` on and end by `stop`, as energy."""
    anchor = calendar.grid_anchor(series.zone, series.interval)
    frame = means(load, anchor, series.interval)
    frame = frame[(frame["interval_start"] >= pd.Timestamp(start)) & (frame["interval_start"] < pd.Timestamp(stop))]
    energy_mwh = frame["power_mw"].to_numpy() * mwh_factor("MW", series.interval)
    bad = [(row, at) for row, at in zip(load.rejected, load.rejected_start, strict=True) if at is None or start <= at < stop]
    about = [None if at is None else anchor + (at - anchor) // series.interval * series.interval for _, at in bad]
    rejected = rejected_frame([row for row, _ in bad], pd.DatetimeIndex(pd.to_datetime(pd.Series(about), utc=True)))
    return Batch(quantity, readings_frame(pd.DatetimeIndex(frame["interval_start"]), energy_mwh), rejected)


class _Session:
    """As much of a session as entsoe-py uses. It knows the key, and keeps it out of logs and exceptions."""

    def __init__(self, web: Web, key_name: str, key: str) -> None:
        self.headers: dict[str, str] = {}  # where the library puts its own User-Agent; ours stays
        self._web, self._key_name, self._key = web, key_name, key

    def get(self, url: str, params: Mapping[str, str], **_: object) -> requests.Response:
        """A good answer, without the key should it repeat it.

        Raises:
            SourceError: any other answer, or none.
            RefusalError: a refusal with a reason.
        """
        timeout_s, problem = self._web.settings.timeout_s, ""
        try:
            with _unlogged(self._key):
                asked = {**params, "securityToken": self._key}
                with self._web.session.get(url, params=asked, timeout=timeout_s, stream=True) as answer:
                    return self._judged(answer.status_code, self._body(answer))
        except requests.Timeout:
            problem = f"did not answer within {timeout_s:g} s"
        except requests.exceptions.RetryError:
            problem = "kept answering with errors"
        except (OSError, urllib3.exceptions.HTTPError) as error:  # all of requests' own are of the first kind
            problem = f"cannot be reached ({type(error).__name__})"
        raise SourceError(f"{PLACE} {problem}", "try again later")  # out here, since those exceptions tell the URL with the key

    def _body(self, answer: requests.Response) -> bytes:
        total_s = self._web.settings.total_s
        deadline, body = time.monotonic() + total_s, bytearray()
        for chunk in answer.iter_content(1 << 16):
            body += chunk
            if time.monotonic() > deadline or len(body) > LARGEST_BYTES:
                raise SourceError(
                    f"{PLACE} sends more than {LARGEST_BYTES >> 20} MiB, or for more than {total_s:g} s", "try again later"
                )
        return bytes(body).replace(self._key.encode(), b"***")

    def _judged(self, status: int, body: bytes) -> requests.Response:
        if status in (401, 403):
            raise SourceError(f"{PLACE} does not let us in ({status})", f"check the key in {self._key_name}")
        if status == 429:
            raise SourceError(f"{PLACE} was asked too often ({status})", "try again later, or ask for fewer series")
        if status >= 500:
            raise SourceError(f"{PLACE} is out of order ({status})", "try again later")
        if status != 200:
            with suppress(DocumentError):
                read_load(body.decode("utf-8", "replace"))  # a refusal raises its reason
            raise SourceError(f"{PLACE} refused the question ({status})", "correct the series' options")
        good = requests.Response()
        good.status_code, good.raw, good.encoding = status, io.BytesIO(body), "utf-8"
        return good


@contextmanager
def _unlogged(key: str) -> Iterator[None]:
    """Keep a key out of what the HTTP libraries log."""
    told = (key, quote(key), quote_plus(key))

    def clean(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if any(form in message for form in told):
            for form in told:
                message = message.replace(form, "***")
            record.msg, record.args = message, None
        return True

    talkers = [logging.getLogger(name) for name in TALKATIVE]
    for talker in talkers:
        talker.addFilter(clean)
    try:
        yield
    finally:
        for talker in talkers:
            talker.removeFilter(clean)


def _require_area(code: str) -> None:
    """Raises SettingsError unless entsoe-py is installed and knows the area."""
    try:
        from entsoe.mappings import Area, lookup_area
    except ImportError:
        raise SettingsError("source entsoe needs the package entsoe-py", "install it: bash deploy/install.sh entsoe") from None
    try:
        lookup_area(code)
    except ValueError:
        known = sorted(Area.__members__)
        near = difflib.get_close_matches(code.upper(), known, n=3) or known[:3]
        raise SettingsError(
            f"ENTSO-E has no area {code!r}", f"use a code of entsoe-py's table, such as {', '.join(near)}"
        ) from None
