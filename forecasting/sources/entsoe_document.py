"""What a load document of the ENTSO-E Transparency Platform says, read strictly.

The format is the GL_MarketDocument of IEC 62325-451-6: TimeSeries, in them Periods with a resolution, in them Points with a
position and a quantity. entsoe-py's own reader is made for HTML: it takes a document that was cut short for a whole one, "1,5" for
15, and tells neither the resolution of a point nor the order of doubled ones.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from xml.parsers import expat

import numpy as np
import pandas as pd

STEPS = {"PT15M": timedelta(minutes=15), "PT30M": timedelta(minutes=30), "PT60M": timedelta(hours=1), "PT1H": timedelta(hours=1)}
POINT_BY_POINT, BLOCKS = "A01", "A03"
"""Curve types. In blocks, a position that is left out repeats the one before (ENTSO-E, Introduction of different TimeSeries
possibilities, 1.4)."""
LONGEST_PERIOD = timedelta(days=400)
MEGAWATT = "MAW"
NOTHING_YET = "No matching data found"
DOCUMENT, REFUSAL = "GL_MarketDocument", "Acknowledgement_MarketDocument"
KEPT = {"start", "end", "resolution", "curveType", "quantity_Measure_Unit.name", "position", "quantity", "text"}


class DocumentError(ValueError):
    """Not a document of the format; says where it leaves it."""


class RefusalError(ValueError):
    """A document that gives a reason in place of data."""


@dataclass(frozen=True, slots=True)
class Load:
    """Mean power of stretches of time, and the points that could not be read."""

    start: np.ndarray
    """datetime64[us], UTC"""
    step: np.ndarray
    """timedelta64[us], how long each lasts"""
    power_mw: np.ndarray
    rejected: list[tuple[str, dict[str, str]]]
    rejected_start: list[datetime | None]


def read_load(text: str) -> Load:
    """All points of a document, in its order. Points may be doubled: nothing in it tells which is newer.

    Raises:
        DocumentError: malformed or cut short, another kind of document, another unit than MW, an impossible period.
        RefusalError: an acknowledgement, with its reason; NOTHING_YET where there is no data.
    """
    reader = _Reader()
    parser = expat.ParserCreate("utf-8", "}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype  # no document has one, but attacks by entities need one
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise DocumentError(f"not XML, or cut short: {expat.errors.messages[error.code]}, line {error.lineno}") from None
    if reader.root == REFUSAL:
        raise RefusalError(" ".join(reader.reason.split()) or "no reason given")
    if reader.root != DOCUMENT:
        raise DocumentError("a web page" if reader.root == "html" else f"a {reader.root[:80]!r} in place of a {DOCUMENT}")
    if not reader.loads:
        raise DocumentError("no period in it")
    return _joined(reader.loads)


def means(load: Load, anchor: datetime, interval: timedelta) -> pd.DataFrame:
    """Mean power of each interval that is wholly there, by `interval_start`; twice where doubled points differ.

    Points that straddle intervals are handed on as they are, off the grid.
    """
    epoch, length = np.datetime64(anchor.replace(tzinfo=None), "us"), np.timedelta64(interval)
    straddles = (load.start - epoch) % load.step != np.timedelta64(0)
    number = (load.start - epoch) // length
    points = pd.DataFrame({"number": number, "step": load.step, "start": load.start, "power_mw": load.power_mw})
    odd = pd.DataFrame({"interval_start": load.start[straddles], "power_mw": load.power_mw[straddles]})
    each = points[~straddles].groupby(["number", "step", "start"])["power_mw"].agg(["min", "max"])
    parts = each.groupby(["number", "step"]).agg(least=("min", "mean"), most=("max", "mean"), count=("min", "size")).reset_index()
    whole = parts[parts["count"] * parts["step"] == length]
    whole = whole.assign(interval_start=epoch + whole["number"].to_numpy() * length)
    doubled = whole[whole["least"] != whole["most"]]
    found = [
        whole[["interval_start", "least"]].rename(columns={"least": "power_mw"}),
        doubled[["interval_start", "most"]].rename(columns={"most": "power_mw"}),
        odd,
    ]
    frame: pd.DataFrame = pd.concat(found, ignore_index=True).sort_values("interval_start", kind="stable", ignore_index=True)
    frame["interval_start"] = frame["interval_start"].astype("M8[us]").dt.tz_localize("UTC")
    return frame


def _refuse_doctype(kind: str, *_: object) -> None:
    raise DocumentError("a web page" if kind.lower() == "html" else "a document type declaration, which none of its kind has")


class _Reader:
    """Collects the texts of one TimeSeries after another and makes numbers of them."""

    def __init__(self) -> None:
        self.root, self.reason = "", ""
        self.loads: list[Load] = []
        self.is_in_series = False
        self.series: dict[str, str] = {}
        self.periods: list[dict[str, Any]] = []
        self.point: dict[str, str] = {}
        self.words: list[str] = []

    def begin(self, name: str, _: object) -> None:
        name = name.rsplit("}", 1)[-1]
        self.root = self.root or name
        self.words = []
        if name == "TimeSeries":
            self.series, self.periods, self.is_in_series = {}, [], True
        elif name == "Period":
            self.periods.append({"points": []})
        elif name == "Point":
            self.point = {}
        if name in ("Period", "Point") and not (self.is_in_series and self.periods):
            raise DocumentError(f"a {name} outside of a TimeSeries")

    def text(self, words: str) -> None:
        self.words.append(words)

    def end(self, name: str) -> None:
        name = name.rsplit("}", 1)[-1]
        if name == "Point":
            self.periods[-1]["points"].append((self.point.get("position", ""), self.point.get("quantity", "")))
        elif name == "TimeSeries":
            self.loads += [_period(period, self.series) for period in self.periods]
            self.periods, self.is_in_series = [], False
        elif name in KEPT:
            words = "".join(self.words).strip()
            if name in ("position", "quantity"):
                self.point[name] = words
            elif name in ("start", "end", "resolution") and self.periods:
                self.periods[-1][name] = words
            elif name == "text":
                self.reason = self.reason or words[:200]
            else:
                self.series[name] = words
        self.words = []


def _period(given: dict[str, Any], series: dict[str, str]) -> Load:
    """The points of a period; a curve of blocks is written out."""
    start, end = (_moment(given.get(name, "")) for name in ("start", "end"))
    resolution, curve = given.get("resolution", ""), series.get("curveType", POINT_BY_POINT)
    if (unit := series.get("quantity_Measure_Unit.name", MEGAWATT)) != MEGAWATT:
        raise DocumentError(f"load in {unit[:20]!r} instead of {MEGAWATT}")
    if curve not in (POINT_BY_POINT, BLOCKS):
        raise DocumentError(f"a curve of type {curve[:20]!r}")
    if (step := STEPS.get(resolution)) is None:
        raise DocumentError(f"a resolution of {resolution[:20]!r}")
    if not timedelta(0) < end - start <= LONGEST_PERIOD or (end - start) % step:
        raise DocumentError(f"a period from {start:%FT%R}Z to {end:%FT%R}Z in steps of {step}")
    steps = (end - start) // step
    cells = pd.DataFrame(given["points"], columns=["position", "quantity"], dtype=str)
    position = _numbers(cells["position"], r"[0-9]{1,6}")
    power_mw = _numbers(cells["quantity"], r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")

    placed = (position >= 1) & (position <= steps)
    good = placed & ~np.isnan(power_mw)
    if curve == BLOCKS and not placed.all():
        raise DocumentError(f"a point at none of the {steps} positions of its period, which might end a block anywhere")
    rejected: list[tuple[str, dict[str, str]]] = []
    rejected_start: list[datetime | None] = []
    for row in np.flatnonzero(~good).tolist():
        cell = {name: str(cells[name].iloc[row]) for name in ("position", "quantity")}
        reason = f"position is not one of {steps}"
        if placed[row]:
            reason = "quantity is not a number" if cell["quantity"] else "no value"
        rejected.append((reason, {"period": f"{start:%FT%R}Z", **cell}))
        rejected_start.append(start + (int(position[row]) - 1) * step if placed[row] else None)

    at = position[placed].astype(np.int64)
    first = np.unique(at)
    until = np.append(first[1:], steps + 1)[np.searchsorted(first, at)] if curve == BLOCKS else at + 1
    lasts = np.where(good[placed], until - at, 0)
    number = np.repeat(at - 1, lasts) + np.arange(lasts.sum()) - np.repeat(np.cumsum(lasts) - lasts, lasts)
    return Load(
        start=np.datetime64(start.replace(tzinfo=None), "us") + number * np.timedelta64(step),
        step=np.full(len(number), np.timedelta64(step)),
        power_mw=np.repeat(power_mw[placed], lasts),
        rejected=rejected,
        rejected_start=rejected_start,
    )


def _moment(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?Z", text, re.ASCII):
        raise DocumentError(f"{text[:40]!r} in place of a time in UTC")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DocumentError(f"{text[:40]!r} in place of a time in UTC") from None


def _numbers(text: pd.Series, pattern: str) -> np.ndarray:
    """Plain numbers, NaN for anything else."""
    told = text.where(text.str.fullmatch(pattern))
    return pd.to_numeric(told, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _joined(loads: list[Load]) -> Load:
    return Load(
        start=np.concatenate([load.start for load in loads]),
        step=np.concatenate([load.step for load in loads]),
        power_mw=np.concatenate([load.power_mw for load in loads]),
        rejected=[row for load in loads for row in load.rejected],
        rejected_start=[start for load in loads for start in load.rejected_start],
    )
