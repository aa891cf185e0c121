"""From a model and what is known to all that an issue says: one way for publishing and for verifying."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from forecasting.condition import Condition, forecast_leads, widening
from forecasting.domain import DAILY, PUBLISHED, QUANTILES
from forecasting.drivers import drivers
from forecasting.errors import FortnightError, PublishError
from forecasting.history import History
from forecasting.models import MODELS, build
from forecasting.models.base import Forecast
from forecasting.paths import Paths, coherent_paths, thinned
from forecasting.predicting import FittedModel, column, frame_of
from forecasting.settings import TrainingSettings
from forecasting.windows import Layout

WEEKLY_NAIVE = "weekly_naive"
LEAST_SHARE = 0.25
"""Of the least day seen: less is not plausible where demand was always positive."""
BREAKDOWNS = (FortnightError, IndexError, ValueError, RuntimeError, ArithmeticError)
"""What a model may come to grief with on data that it was not made for; the next tier is tried then."""


@dataclass(frozen=True)
class Issue:
    """frame: one row a lead, with the columns of `forecast_value` but issue and origin. paths: of each day. plausible_mwh: what a
    day may lie between."""

    frame: pd.DataFrame
    paths: Sequence[Paths]
    plausible_mwh: tuple[float, float]


def make_issue(model: FittedModel, history: History, condition: Condition, leads: int, previous: FittedModel | None) -> Issue:
    """The forecast of `leads` days after a history.

    Args:
        previous: the model of the issue before, which is asked the same; None where there is none.

    Raises:
        HistoryError: the model cannot make a forecast from such data, or nothing tells how wide its bands must be.
    """
    raw = forecast_leads(model, history, leads)
    forecast = widening(model, history, condition, leads).applied(raw)
    if not (np.isfinite(forecast.mean).all() and np.isfinite(forecast.quantiles).all()):
        raise PublishError(f"{model.family} forecasts values that are not finite", "retrain, or roll back to the champion before")
    paths = coherent_paths(model.forecaster, history, forecast)
    hours = history.series.interval / timedelta(hours=1)
    moved = drivers(model.forecaster, history, leads)
    peaks = np.array([day.peak_mw(hours, QUANTILES) for day in paths])
    frame = frame_of(forecast, history)
    frame = frame[["lead", "target_start", "target_end", "mean", *(column(level) for level in PUBLISHED)]].assign(
        peak_q10_mw=peaks[:, 0],
        peak_q50_mw=peaks[:, 1],
        peak_q90_mw=peaks[:, 2],
        peak_start=[day.peak_start for day in paths],
        reference_mwh=moved.reference_mwh,
        calendar_mwh=moved.calendar_mwh,
        weather_mwh=moved.weather_mwh,
        previous_model_mwh=_mean_of(previous, history, leads, forecast),
    )
    return Issue(frame, [thinned(day) for day in paths], plausible(history))


def _mean_of(previous: FittedModel | None, history: History, leads: int, forecast: Forecast) -> np.ndarray | None:
    if previous is None:
        return None
    try:
        mean = forecast_leads(previous, history, leads).mean[0]
    except BREAKDOWNS:  # it is asked for comparison only
        return None
    return mean if np.isfinite(mean).all() and len(mean) == forecast.mean.shape[1] else None


def plausible(history: History) -> tuple[float, float]:
    """Least and most energy of a day that may be published, MWh: as far beyond all that was seen as that is wide."""
    seen = history.energy_mwh[~history.filled] if not history.filled.all() else history.energy_mwh
    low, high = float(seen.min()), float(seen.max())
    room = max(high - low, 0.5 * max(abs(low), abs(high)))
    return low - room if low <= 0 else max(low - room, LEAST_SHARE * low), high + room


def weekly_naive(history: History, leads: int) -> FittedModel:
    """The last week again, with bands from its own errors by lead: what there is when there is nothing better.

    Raises:
        TrainingError: the history is shorter than a week and the leads.
    """
    layout = Layout(DAILY, 1, 7, leads)
    forecaster = build(WEEKLY_NAIVE, layout, **MODELS[WEEKLY_NAIVE].fixed)
    forecaster.learn(history, len(history), TrainingSettings(), lambda _: None)
    return FittedModel.raw(WEEKLY_NAIVE, forecaster)
