"""The real demand of Victoria, and what could be wrong with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecasting.history import History
from forecasting.jobs.feed_history import history_of_feed
from forecasting.service import choose_series
from forecasting.settings import load_settings


def victoria(path: Path) -> History:
    """All three years of the file."""
    settings = load_settings()
    (series,) = choose_series(settings, "csv", path, ())
    return history_of_feed(settings, series, datetime(2015, 1, 1, tzinfo=UTC), lambda *_: None)


def hourly(history: History) -> History:
    """The same demand by the hour, without temperature."""
    pairs = (len(history), history.slots // 2, 2)
    return replace(
        history,
        series=replace(history.series, interval=timedelta(hours=1)),
        demand_mwh=history.demand_mwh.reshape(pairs).sum(axis=2),
        weights=history.weights.reshape(pairs).max(axis=2),
        temperature_c=None,
    )


def moved(history: History, begin: int, hours: int) -> History:
    """From the day at `begin` on, readings are marked so many hours later than they were taken."""
    flat = history.demand_mwh.ravel().copy()
    flat[begin * history.slots :] = np.roll(flat, hours * history.slots // 24)[begin * history.slots :]
    return replace(history, demand_mwh=flat.reshape(history.demand_mwh.shape))
