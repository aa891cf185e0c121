"""Pictures: people would rather look than read. Every one of a simulated series says so."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from forecasting.domain import Series
from forecasting.history import History
from forecasting.models.base import Epoch
from forecasting.palette import ACTUAL, MODEL, NAIVE, OTHERS
from forecasting.watching.realised import RealisedLoss

logger = logging.getLogger(__name__)
CONTEXT_DAYS = 42
LEADS = ((1, 2, MODEL), (3, 7, "#15803d"), (8, 14, "#a16207"))
"""Days ahead that are told apart where each forecast is a point."""
BIN_C, FEWEST = 2.0, 10
"""Width of the bins of temperature that a mean is drawn for, and the points it needs."""
GWH = 1000.0


def forecast_picture(history: History, forecast: pd.DataFrame, model: str) -> Figure:
    """Recent demand and the forecast with its band, by local day, in GWh.

    Args:
        forecast: columns target_start, mean, q10, q50, q90 (MWh).
        model: name and version, for the caption.
    """
    series = history.series
    figure, axes = _axes(series, f"{series.name}: the next {len(forecast)} days")
    days, energy = history.days[-CONTEXT_DAYS:], history.energy_mwh[-CONTEXT_DAYS:] / GWH
    starts = pd.DatetimeIndex(forecast["target_start"])
    ahead = starts.tz_convert(series.zone).tz_localize(None).normalize()
    axes.plot(days, energy, color=ACTUAL, marker="o", markersize=3, label="observed")
    filled = history.filled[-CONTEXT_DAYS:]
    if filled.any():
        axes.plot(days[filled], energy[filled], "o", mfc="white", color=ACTUAL, label="missing, a week earlier shown")
    axes.fill_between(ahead, forecast["q10"] / GWH, forecast["q90"] / GWH, color=MODEL, alpha=0.2, label="80 % band", lw=0)
    axes.plot(ahead, forecast["q50"] / GWH, color=MODEL, marker="o", markersize=3, label="median")
    axes.axvline(date2num(days[-1] + pd.Timedelta(hours=12)), color="grey", linewidth=0.8, linestyle=":")
    axes.set_ylabel("demand, GWh a day")
    axes.set_title(f"{model}; last observed day {days[-1]:%a %d %b %Y}", fontsize=9, color="grey", loc="left")
    return _finished(figure, series, dates=True)


def losses_picture(epochs: Sequence[Epoch], series: Series) -> Figure:
    """Training and validation loss by epoch."""
    figure, axes = _axes(series, "Losses by epoch")
    numbers = [epoch.number for epoch in epochs]
    axes.plot(numbers, [epoch.train for epoch in epochs], color=ACTUAL, label="training")
    axes.plot(numbers, [epoch.validation for epoch in epochs], color=MODEL, label="validation")
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean pinball loss, scaled demand")
    axes.set_ylim(bottom=0)
    return _finished(figure, series)


def validation_picture(history: History, positions: np.ndarray, quantiles_mwh: np.ndarray, naive_mwh: np.ndarray) -> Figure:
    """Validation forecasts that follow one another without overlap, beside what happened.

    Args:
        positions: first target days [windows]; quantiles_mwh: [windows, leads, quantiles]; naive_mwh: [windows, leads].
    """
    figure, axes = _axes(history.series, "Validation: forecasts one after another, and what happened")
    leads = quantiles_mwh.shape[1]
    shown = [len(positions) - 1]
    for window in reversed(range(len(positions))):
        if positions[window] <= positions[shown[0]] - leads:
            shown.insert(0, window)
    for window in shown:
        days = history.days[positions[window] : positions[window] + leads]
        low, middle, high = np.moveaxis(quantiles_mwh[window], -1, 0) / GWH
        first = window == shown[0]
        axes.fill_between(days, low, high, color=MODEL, alpha=0.2, lw=0, label="80 % band" if first else None)
        axes.plot(days, middle, color=MODEL, label="median" if first else None)
        axes.plot(days, naive_mwh[window] / GWH, color=NAIVE, lw=0.9, ls="--", label="weekly naive" if first else None)
        axes.axvline(date2num(days[0] - pd.Timedelta(hours=12)), color="grey", linewidth=0.8, linestyle=":")
    span = slice(positions[0] - leads, None)
    axes.plot(history.days[span], history.energy_mwh[span] / GWH, color=ACTUAL, marker="o", markersize=2.5, lw=1, label="observed")
    axes.set_ylabel("demand, GWh a day")
    return _finished(figure, history.series, dates=True)


def lead_picture(series: Series, losses: Mapping[str, Sequence[float]], unit: str) -> Figure:
    """Loss by lead day, a line for each model: {name: one loss a day}."""
    figure, axes = _axes(series, "Pinball loss by lead")
    others = cycle(OTHERS)
    for name, values in losses.items():
        colour = NAIVE if name == "weekly_naive" else next(others)
        dashed = "--" if name == "champion" else "-"  # it may lie on the fresh fit of its own family
        axes.plot(range(1, len(values) + 1), values, dashed, marker="o", markersize=3, color=colour, label=name)
    axes.set_xlabel("lead, days")
    axes.set_ylabel(f"mean pinball loss, {unit}")
    axes.set_ylim(bottom=0)
    return _finished(figure, series)


def calibration_picture(series: Series, shares: Mapping[str, Mapping[float, float]]) -> Figure:
    """Share of actual values at or below each quantile against its level, a line for each model: {name: {level: share}}."""
    figure, axes = _axes(series, "Calibration: how often demand stays below each quantile")
    axes.plot([0, 1], [0, 1], color="grey", lw=0.8, ls=":", label="perfect")
    for number, (name, points) in enumerate(shares.items()):
        colour = (MODEL, NAIVE, ACTUAL)[number % 3]
        axes.plot(list(points), list(points.values()), marker="o", markersize=4, color=colour, label=name)
    axes.set_xlabel("level of the quantile")
    axes.set_ylabel("share of actual values at or below")
    return _finished(figure, series)


def residual_picture(history: History, positions: np.ndarray, actual_mwh: np.ndarray, median_mwh: np.ndarray) -> Figure:
    """What demand was beyond the median, against the mean temperature of the day; a history that knows temperatures.

    Args:
        positions: first target days [windows]; the others [windows, leads], of days.
    """
    assert history.temperature_c is not None
    figure, axes = _axes(history.series, "Residuals against temperature")
    celsius = np.average(history.temperature_c, axis=1, weights=history.weights)
    lead = np.arange(actual_mwh.shape[1])
    warmth = celsius[positions[:, None] + lead]
    residual = (actual_mwh - median_mwh) / GWH
    axes.axhline(0, color="grey", lw=0.8, ls=":")
    for first, last, colour in LEADS:
        rows = (lead >= first - 1) & (lead < last)
        if rows.any():
            label = f"{first} to {last} days ahead"
            axes.plot(warmth[:, rows].ravel(), residual[:, rows].ravel(), "o", ms=3, alpha=0.4, mew=0, color=colour, label=label)
    known = np.isfinite(warmth)
    bins = np.floor(warmth[known] / BIN_C)
    means = {(number + 0.5) * BIN_C: residual[known][bins == number] for number in np.unique(bins)}
    middle = {at: found.mean() for at, found in means.items() if len(found) >= FEWEST}
    axes.plot(list(middle), list(middle.values()), color=ACTUAL, marker="s", ms=4, label=f"mean by {BIN_C:g} C")
    axes.set_xlabel("mean temperature of the target day, C")
    axes.set_ylabel("observed less median, GWh a day")
    return _finished(figure, history.series)


def attention_picture(history: History, position: int, weights: np.ndarray) -> Figure:
    """How much each target day looked at each past day: weights [horizon days, past days], from the beginning of a day."""
    figure, axes = _axes(history.series, f"Attention: what the forecast from {_day(history, position)} looked at")
    ahead, back = weights.shape
    image = axes.imshow(weights, aspect="auto", cmap="Blues", vmin=0)
    figure.colorbar(image, ax=axes, label="weight; each row sums to 1")
    axes.set_xticks(range(back), [_day(history, position - back + past) for past in range(back)], rotation=90, fontsize=8)
    axes.set_yticks(range(ahead), [_day(history, position + lead) for lead in range(ahead)], fontsize=8)
    axes.set_xlabel("past day")
    axes.set_ylabel("target day")
    _watermark(axes, history.series)
    return figure


def watched_picture(series: Series, losses: Sequence[RealisedLoss], since: date | None) -> Figure:
    """Losses of what was published as ratios to those of other forecasts of the same days.

    Args:
        losses: one a target day, oldest first.
        since: the day from which on they count as risen.
    """
    figure, axes = _axes(series, f"{series.name}: loss of each day beside other forecasts of it")
    names = sorted({name for loss in losses for name in loss.others})
    for name, color in zip(names, OTHERS, strict=False):
        days = [loss.day for loss in losses if loss.others.get(name) and loss.model > 0]
        ratios = [loss.model / loss.others[name] for loss in losses if loss.others.get(name) and loss.model > 0]
        axes.plot(date2num(days), ratios, color=color, marker="o", markersize=3, label=f"against {name.replace('_', ' ')}")
    axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    if since is not None:
        axes.axvline(date2num(since), color=NAIVE, linewidth=1.2, label=f"risen since {since:%d %b %Y}")
    axes.set_yscale("log")
    axes.set_ylabel("pinball loss as a ratio, log scale")
    return _finished(figure, series, dates=True)


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG so that no half-written picture is ever seen under its name.

    Where it cannot be written, as on a full disk, that is logged: no forecast fails for its picture.
    """
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(draft, format="png", dpi=130)
        draft.replace(path)
    except OSError as error:
        logger.warning("picture %s cannot be written: %s", path, error.strerror)
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return path


def _axes(series: Series, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    prefix = "SIMULATED, not real. " if series.simulated else ""
    figure.suptitle(prefix + title, fontsize=12, x=0.01, ha="left", fontweight="bold")
    return figure, axes


def _finished(figure: Figure, series: Series, dates: bool = False) -> Figure:
    axes = figure.axes[0]
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, ncols=5, loc="upper left")
    if dates:
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))
    _watermark(axes, series)
    return figure


def _watermark(axes: Axes, series: Series) -> None:
    """Across the picture, should its title be cut off."""
    if series.simulated:
        axes.text(0.5, 0.5, "SIMULATED", transform=axes.transAxes, fontsize=60, color="grey", alpha=0.12, ha="center", va="center")


def _day(history: History, position: int) -> str:
    return f"{history.days[0] + pd.Timedelta(days=position):%a %d %b}"
