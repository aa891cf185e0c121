"""Hourly demand of a US balancing authority, and its own forecast of it, from the API of the Energy Information Administration.

EIA open data, version 2, electricity/rto/region-data: type D is demand, DF the forecast. A period such as 2024-01-01T05 is the hour
that ends at 05:00Z. Values are megawatt-hours, written as texts, and null where there is none yet.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecasting.calendar import EPOCH, grid_anchor
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.sources.cells import between, plain_decimals, raw_cells
from forecasting.sources.strict_json import read_json
from forecasting.sources.web import Refused, Web, place_of

HOUR = timedelta(hours=1)
TYPES = {Quantity.DEMAND: "D", Quantity.DEMAND_FORECAST: "DF"}
FORECAST_REACH = timedelta(days=2)
UNIT = "megawatthours"
NEEDED = ("period", "respondent", "type", "value", "value-units")
PERIOD = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}")


class EiaOptions(BaseModel):
    """Which balancing authority, and where the key is. A key is free: www.eia.gov/opendata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    respondent: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,8}$")]
    """As EIA abbreviates it, such as NYIS, CISO or ERCO."""
    url: str = "https://api.eia.gov/v2/electricity/rto/region-data/data/"
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "EIA_API_KEY"
    page_rows: Annotated[int, Field(ge=1, le=5000)] = 5000


class EiaSource:
    """Both quantities, page by page."""

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = timedelta(days=366)

    def __init__(self, web: Web, **options: Any) -> None:
        self.web, self.options = web, EiaOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        """Raises SettingsError for intervals other than full hours, and without a key."""
        if series.interval != HOUR or (grid_anchor(series.zone, HOUR) - EPOCH) % HOUR:
            raise SettingsError(
                f"series {series.series_id} has intervals of {series.interval} in {series.time_zone}, but EIA has full hours",
                "set its interval_minutes to 60, and its time_zone to one of the respondent",
            )
        key = self._key(series)
        for quantity in TYPES:
            end = until + (FORECAST_REACH if quantity.is_forecast else timedelta(0))
            for rows in self._pages(quantity, since, end, key):
                yield between(parse_rows(rows, self.options.respondent, quantity), since, end - HOUR)

    def _key(self, series: Series) -> str:
        name = self.options.api_key_env
        key = os.environ.get(name, "").strip()
        if not re.fullmatch(r"[!-~]+", key):
            problem = "holds no key" if key else "is not set"
            raise SettingsError(
                f"series {series.series_id}: environment variable {name} {problem}",
                "set it to a key, which www.eia.gov/opendata gives",
            )
        return key

    def _pages(self, quantity: Quantity, since: datetime, end: datetime, key: str) -> Iterator[list[Any]]:
        """The rows of one page after the other, each row once.

        Raises:
            SourceError: rows are missing that the feed says it has.
        """
        first, last = since + HOUR, end.replace(minute=0, second=0, microsecond=0)
        seen: set[str] = set()
        total = 1 if first <= last else 0
        while len(seen) < total:
            total, rows = self._page(TYPES[quantity], first, last, len(seen), key)
            fresh = {json.dumps(row, sort_keys=True): row for row in rows}
            fresh = {told: row for told, row in fresh.items() if told not in seen}
            seen.update(fresh)
            yield list(fresh.values())
            place = place_of(self.options.url)
            if not fresh and len(seen) < total:
                raise SourceError(f"{place} gave {len(seen):,} of {total:,} rows and then nothing new", "try again later")
            if len(seen) > 2 * ((last - first) // HOUR + 1):
                raise SourceError(f"{place} gives far more rows than there are hours", "look at what it sends")

    def _page(self, kind: str, first: datetime, last: datetime, offset: int, key: str) -> tuple[int, list[Any]]:
        options = self.options
        asked: dict[str, str | list[str]] = {
            "frequency": "hourly",
            "data[]": "value",
            "facets[respondent][]": options.respondent,
            "facets[type][]": kind,
            "start": f"{first:%Y-%m-%dT%H}",
            "end": f"{last:%Y-%m-%dT%H}",
            "sort[0][column]": "period",
            "sort[0][direction]": "asc",
            "offset": str(offset),
            "length": str(options.page_rows),
        }
        try:
            body = self.web.get(options.url, asked, {"X-Api-Key": key})
        except Refused as refusal:
            if refusal.status not in (401, 403):
                raise
            problem = refusal.problem
        else:
            return parse_page(body, place_of(options.url))
        raise SourceError(problem, f"check the key in {options.api_key_env}; www.eia.gov/opendata gives new ones")


def parse_page(body: bytes, place: str) -> tuple[int, list[Any]]:
    """How many rows there are in all, and those of this page.

    Raises:
        SourceError: not the documented answer.
    """
    answer = read_json(body, place)
    response = answer.get("response") if isinstance(answer, dict) else None
    rows, total = (response.get("data"), str(response.get("total"))) if isinstance(response, dict) else (None, "")
    if not isinstance(rows, list) or not re.fullmatch(r"[0-9]{1,9}", total):
        raise SourceError(f"{place} answers without rows and their total", "try again later; should it last, look at what it sends")
    if rows and not any(isinstance(row, dict) and row.keys() >= set(NEEDED) for row in rows):
        told = ", ".join(map(repr, rows[0]))[:120] if isinstance(rows[0], dict) else "something else"
        raise SourceError(f"{place} has rows of {told}, not of {', '.join(NEEDED)}", "look at what it sends: it has changed")
    return int(total), rows


def parse_rows(rows: Sequence[Any], respondent: str, quantity: Quantity) -> Batch:
    """Readings in MWh. A null is no reading, and nothing to complain of either."""
    columns = [[row.get(name, "") if isinstance(row, dict) else "" for row in rows] for name in NEEDED]
    period, whose, kind, value, unit = (np.array([*column, None], dtype=object)[:-1] for column in columns)
    told = [text if isinstance(text, str) and PERIOD.fullmatch(text) else None for text in period]
    ends = pd.DatetimeIndex(pd.to_datetime(pd.Series(told, dtype=object), format="%Y-%m-%dT%H", errors="coerce", utc=True))
    start = ends.as_unit("us") - HOUR
    energy_mwh = plain_decimals([text if isinstance(text, str) else repr(text) for text in value])
    is_null = np.array([text is None for text in value], dtype=bool)
    reasons = np.full(len(rows), "", dtype=object)
    for reason, broken in (  # the last that applies is told
        ("value is not a number", np.isnan(energy_mwh) & ~is_null),
        ("no value", [isinstance(text, str) and text == "" for text in value]),
        (f"value-units is not {UNIT}", [text != UNIT for text in unit]),
        (f"type is not {TYPES[quantity]}", [text != TYPES[quantity] for text in kind]),
        (f"respondent is not {respondent}", [text != respondent for text in whose]),
        ("period is not an hour", start.isna()),
    ):
        reasons[np.asarray(broken, dtype=bool)] = reason
    bad, good = reasons != "", (reasons == "") & ~is_null
    rejected = [
        (reason, raw_cells(row if isinstance(row, dict) else {"row": row}))
        for reason, row, is_bad in zip(reasons, rows, bad, strict=True)
        if is_bad
    ]
    return Batch(quantity, readings_frame(start[good], energy_mwh[good]), rejected_frame(rejected, start[bad]))
