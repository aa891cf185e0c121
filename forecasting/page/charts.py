"""Charts of the page, each with the sentence that it says. Names of series stand outside of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from forecasting.page.drift import SHOWN_DAYS, YARDSTICKS, Against, Drift
from forecasting.page.svg import NARROW, SMALL, WIDE, Draw, Shape, picture
from forecasting.palette import ACTUAL, MODEL, NAIVE, OTHERS
from forecasting.store.published import Ahead, LeadAccuracy, Pair
from forecasting.watching.realised import NAIVE as AGAINST_NAIVE

WEEK_AHEAD = OTHERS[2]
TOMORROW, IN_A_WEEK = 2, 8
"""Leads: on a morning run lead 1 is today."""
CONTEXT_DAYS = {WIDE: 35, NARROW: 14, SMALL: 14}
PAST_DAYS = {WIDE: 56, NARROW: 28}
FANS = (("q05", "q95", 0.14), ("q10", "q90", 0.2), ("q30", "q70", 0.28))
SMALL_MWH = 10_000.0
MOST_RATIO = 10.0
"""Losses that are worse or better by more are not told apart."""


@dataclass(frozen=True)
class Key:
    """An entry of a chart's legend: mark is line, dash, dot or band."""

    mark: str
    colour: str
    words: str


@dataclass(frozen=True)
class Chart:
    """The same in several shapes, of which a page shows one; what it says, and how to read it."""

    pictures: Sequence[Markup]
    message: str
    keys: Sequence[Key]


@dataclass(frozen=True)
class Scale:
    """In which unit energies of days are shown."""

    unit: str
    mwh: float

    def told(self, energy_mwh: float) -> str:
        return f"{energy_mwh / self.mwh:,.1f}"


def scale_for(energy_mwh: float) -> Scale:
    """GWh for all but small series.

    Args:
        energy_mwh: of a usual day.
    """
    return Scale("MWh", 1.0) if abs(energy_mwh) < SMALL_MWH else Scale("GWh", 1000.0)


def forecast_chart(
    name: str, days: Sequence[tuple[date, float]], ahead: Sequence[Ahead], zone: ZoneInfo, scale: Scale, shapes: Sequence[Shape]
) -> Chart:
    """Recent days and the newest forecast with its bands."""
    starts = [row.target_start.astimezone(zone).date() for row in ahead]
    low, high = min(ahead, key=lambda row: row.q50), max(ahead, key=lambda row: row.q50)
    width = float(np.mean([row.q90 - row.q10 for row in ahead]))
    message = (
        f"Forecast of {len(ahead)} days from {told_day(starts[0])} on: the median lies between {scale.told(low.q50)} "
        f"({told_day(starts[ahead.index(low)])}) and {scale.told(high.q50)} {scale.unit} a day "
        f"({told_day(starts[ahead.index(high)])}); the 80 % band is {scale.told(width)} {scale.unit} wide on average."
    )

    def draw(figure: Figure, shape: Shape) -> None:
        axes = figure.subplots()
        since = starts[0] - timedelta(days=CONTEXT_DAYS[shape])
        shown = [(day, energy) for day, energy in days if since <= day]
        _line(axes, [day for day, _ in shown], [energy / scale.mwh for _, energy in shown], ACTUAL, marker="o")
        for lower, upper, alpha in FANS:
            bounds = [(getattr(row, lower), getattr(row, upper)) for row in ahead]
            if all(bound is not None for pair in bounds for bound in pair):
                edges = np.array(bounds, dtype=float).T / scale.mwh
                axes.fill_between(date2num(starts), *edges, color=MODEL, alpha=alpha, lw=0)
        _line(axes, starts, [row.q50 / scale.mwh for row in ahead], MODEL, marker="o")
        axes.axvline(date2num(starts[0]) - 0.5, color="#888888", linewidth=0.8, linestyle=":")
        axes.set_ylabel(f"{scale.unit} a day")
        _dated(axes, shape)

    keys = [
        Key("line", ACTUAL, "measured"), Key("line", MODEL, "median of the forecast"),
        Key("band", MODEL, "bands that hold 40 %, 80 % and 90 % of outcomes"),
    ]  # fmt: skip
    return _chart(name, message, draw, shapes, keys)


def past_chart(name: str, days: Sequence[tuple[date, float]], pairs: Sequence[Pair], scale: Scale) -> Chart:
    """Forecasts of the day after and of a week later beside what happened."""
    near = [pair for pair in pairs if pair.lead == TOMORROW][-PAST_DAYS[WIDE] :]
    far = [pair for pair in pairs if pair.lead == IN_A_WEEK]
    inside = sum(pair.q10 <= pair.actual <= pair.q90 for pair in near)
    error = float(np.mean([abs(pair.q50 / pair.actual - 1) for pair in near if pair.actual]))
    message = (
        f"Of the last {len(near)} days forecast the day before, {inside} ({_percent(100 * inside / len(near), 0)}) fell into the "
        "80 % band; "
        f"the median was off by {_percent(100 * error)} on average."
    )

    def draw(figure: Figure, shape: Shape) -> None:
        axes = figure.subplots()
        since = max(near[-1].target_day - timedelta(days=PAST_DAYS[shape]), near[0].target_day - timedelta(days=1))
        shown = [pair for pair in near if pair.target_day > since]
        band = np.array([(pair.q10, pair.q90) for pair in shown]).T / scale.mwh
        on = [pair.target_day for pair in shown]
        axes.fill_between(date2num(on), *band, color=MODEL, alpha=0.2, lw=0)
        later = [pair for pair in far if since < pair.target_day <= near[-1].target_day]
        _line(axes, [pair.target_day for pair in later], [pair.q50 / scale.mwh for pair in later], WEEK_AHEAD, linestyle="--")
        _line(axes, on, [pair.q50 / scale.mwh for pair in shown], MODEL)
        measured = [(day, energy) for day, energy in days if since < day <= near[-1].target_day]
        _line(axes, [day for day, _ in measured], [energy / scale.mwh for _, energy in measured], ACTUAL, marker="o", linewidth=0.9)
        axes.set_ylabel(f"{scale.unit} a day")
        _dated(axes, shape)

    keys = [
        Key("line", ACTUAL, "measured"), Key("line", MODEL, "median, forecast the day before"),
        Key("band", MODEL, "its 80 % band"), Key("dash", WEEK_AHEAD, "median, forecast a week before"),
    ]  # fmt: skip
    return _chart(name, message, draw, (WIDE, NARROW), keys)


def accuracy_chart(name: str, leads: Sequence[LeadAccuracy]) -> Chart:
    """Error by lead beside weekly naive."""
    first, last = leads[0], leads[-1]
    message = (
        f"Mean error of the median in per cent of demand: {_percent(first.mape_percent)} on the first day ahead, "
        f"{_percent(last.mape_percent)} on day {last.lead}; weekly naive errs by {_percent(first.naive_mape_percent)} and "
        f"{_percent(last.naive_mape_percent)}."
    )

    def draw(figure: Figure, shape: Shape) -> None:  # noqa: ARG001
        axes = figure.subplots()
        at = [row.lead for row in leads]
        axes.plot(at, [_number(row.mape_percent) for row in leads], color=MODEL, marker="o", markersize=4)
        axes.plot(at, [_number(row.naive_mape_percent) for row in leads], color=NAIVE, marker="s", markersize=3.5, linestyle="--")
        axes.set_xlabel("days ahead (lead)")
        axes.set_ylabel("mean absolute error, %")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    keys = [Key("line", MODEL, "what was published"), Key("dash", NAIVE, "weekly naive: the last same weekday again")]
    return _chart(name, message, draw, (WIDE, NARROW), keys)


def drift_chart(name: str, drift: Drift) -> Chart:
    """Above the ratios of losses, day by day; below the evidence that they have risen, with the limits at which the watch fires."""
    colours = {against.name: NAIVE if against.name == AGAINST_NAIVE else MODEL for against in drift.against}

    rows = 2 if any(against.evidence for against in drift.against) else 1

    def draw(figure: Figure, shape: Shape) -> None:
        above, *others = figure.subplots(rows, sharex=True, squeeze=False)[:, 0]
        since = drift.losses[-1].day - timedelta(days=SHOWN_DAYS)
        for against in drift.against:
            colour = colours[against.name]
            shown = [(day, ratio) for day, ratio in zip(against.days, against.ratios, strict=True) if day > since]
            _line(above, [day for day, _ in shown], [ratio for _, ratio in shown], colour, marker="o", linewidth=0.9)
            if against.usual is not None:
                above.axhline(against.usual, color=colour, linewidth=1, linestyle=":")
                above.axhline(against.usual * (1 + against.limits.min_rise), color=colour, linewidth=1, linestyle="--")
            for below in others:
                _line(below, list(against.evidence), list(against.evidence.values()), colour)
                below.axhline(against.limits.z_limit, color=colour, linewidth=1, linestyle="--")
                below.set_ylabel("evidence, standard errors")
        above.set_yscale("log")
        low, high = above.get_ylim()
        above.set_ylim(max(low, 1 / MOST_RATIO), min(high, MOST_RATIO))
        above.set_ylabel("loss as a ratio")
        above.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        above.yaxis.set_minor_formatter(lambda _, __: "")
        above.set_xlim(date2num(max(since, drift.losses[0].day - timedelta(days=1))), date2num(drift.losses[-1].day) + 1)
        _dated(figure.axes[-1], shape)

    keys = [Key("line", colours[against.name], f"against {YARDSTICKS[against.name]}") for against in drift.against]
    keys += [
        Key("dot", ACTUAL, "dotted: the usual level of the weeks before"),
        Key("dash", ACTUAL, "dashed: above it a rise counts; below, from it on an alert fires"),
    ]
    return _chart(name, " ".join(told_drift(against) for against in drift.against), draw, (WIDE, NARROW), keys, rows)


def told_drift(against: Against) -> str:
    """How one yardstick stands, in a sentence."""
    rise, limits = against.newest, against.limits
    if rise.rise is None or rise.z is None or rise.since is None:
        return (
            f"Against {YARDSTICKS[against.name]} it is too early to judge: {rise.reference} earlier days to compare with, "
            f"{limits.min_reference} are needed."
        )
    return (
        f"Against {YARDSTICKS[against.name]} the loss is {rise.state}: since {told_day(rise.since)} it lies "
        f"{abs(rise.rise) * 100:.0f} % {'above' if rise.rise >= 0 else 'below'} its usual level, with evidence of {rise.z:.1f} "
        f"standard errors; an alert needs more than {limits.z_limit:g}, and {limits.min_rise * 100:.0f} %."
    )


def told_day(day: date | datetime) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _chart(name: str, message: str, draw: Draw, shapes: Sequence[Shape], keys: Sequence[Key], rows: int = 1) -> Chart:
    return Chart([picture(name, message, draw, shape, rows) for shape in shapes], message, keys)


def _line(axes: Axes, days: Sequence[date], values: Sequence[float], colour: str, **how: Any) -> None:
    axes.plot(date2num(days), values, color=colour, markersize=2.8, **{"linewidth": 1.4, **how})


def _dated(axes: Axes, shape: Shape) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=9 if shape is WIDE else 5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _percent(value: float | None, digits: int = 1) -> str:
    return "an unknown share" if value is None else f"{value:.{digits}f} %"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
