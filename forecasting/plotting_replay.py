"""The picture of a replay: what each day cost, how the stores grew, how good the forecasts were."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from forecasting.jobs.replay import ReplayDay
from forecasting.palette import ACTUAL, MODEL, NAIVE
from forecasting.store.watched import LeadAccuracy

WINDOW_DAYS = 28
"""Medians over so many days show whether days get slower."""


def replay_picture(name: str, days: Sequence[ReplayDay], accuracy: Sequence[LeadAccuracy]) -> Figure:
    """Four panels: seconds a day, memory, the size of the stores, and MAPE by lead beside weekly naive."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    figure.suptitle(f"{name}: {len(days)} days replayed, {days[0].day:%d %b %Y} to {days[-1].day:%d %b %Y}", x=0.01, ha="left")
    (cost, memory), (size, error) = figure.subplots(2, 2)
    dates = np.array([float(date2num(day.day)) for day in days])
    cpu = np.array([day.cpu_s for day in days])
    cost.plot(dates, cpu, ".", color=MODEL, markersize=2, alpha=0.5, label="a day; a retrain a week is dearer")
    cost.plot(dates, _median(cpu), color=ACTUAL, label=f"median of {WINDOW_DAYS} days")
    _dated(cost, "processor time, s")
    memory.plot(dates, [day.memory_mb for day in days], color=MODEL)
    _dated(memory, "resident memory, MB")
    size.plot(dates, [day.database_mb for day in days], color=MODEL, label="Postgres")
    weekly = [(date, day.mlflow_mb) for date, day in zip(dates, days, strict=True) if day.mlflow_mb is not None]
    size.plot(*zip(*weekly, strict=True), color=NAIVE, label="MLflow")
    _dated(size, "size, MB")
    leads = [each.lead for each in accuracy]
    error.plot(
        leads, [each.weekly_naive_mape_percent for each in accuracy], color=NAIVE, marker="o", markersize=3, label="weekly naive"
    )
    error.plot(leads, [each.mape_percent for each in accuracy], color=MODEL, marker="o", markersize=3, label="published")
    error.set_xlabel("lead, days")
    error.set_ylabel("MAPE, %")
    error.set_ylim(bottom=0)
    error.spines[["top", "right"]].set_visible(False)
    for axes in (cost, size, error):
        axes.legend(fontsize=8, frameon=False)
    return figure


def _median(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).rolling(WINDOW_DAYS, center=True, min_periods=WINDOW_DAYS // 2).median().to_numpy()


def _dated(axes: Axes, label: str) -> None:
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
