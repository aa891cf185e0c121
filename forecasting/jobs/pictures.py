"""What a modeller looks at in MLflow: pictures of a model's validation, and of a retrain's contest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from forecasting import plotting
from forecasting.history import History
from forecasting.jobs.contest import WEEKLY_NAIVE, Contest
from forecasting.models.base import Epoch
from forecasting.predicting import FittedModel, Judged
from forecasting.windows import Inputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@runtime_checkable
class Attentive(Protocol):
    """A forecaster that can tell what it looked at."""

    def inputs(self, history: History, positions: np.ndarray) -> Inputs: ...

    def attention_map(self, inputs: Inputs) -> Tensor:
        """How much each target step looked at each past step: [windows, horizon_steps, past_steps]."""
        ...


def of_model(history: History, contest: Contest, family: str, model: FittedModel, epochs: Sequence[Epoch]) -> dict[str, "Figure"]:
    """Of a model's own run. Bands are those that it would publish, calibration is shown of both."""
    raw, naive = contest.judged[family], contest.judged[WEEKLY_NAIVE]
    calibrated = raw.calibrated(model)
    by_lead = {family: raw.pinball_by_lead(), WEEKLY_NAIVE: naive.pinball_by_lead()}
    found = {
        "validation.png": _validation(history, calibrated, naive),
        "error_by_lead.png": plotting.lead_picture(history.series, by_lead, "MWh"),
        "calibration.png": _calibration(history, raw, calibrated),
    }
    if history.temperature_c is not None and np.isfinite(history.temperature_c[raw.origins[0] :]).any():
        found["residuals_by_temperature.png"] = plotting.residual_picture(history, raw.origins, raw.actual, raw.forecast.median)
    if isinstance(model.forecaster, Attentive):
        found["attention.png"] = plotting.attention_picture(history, len(history), _attention(history, model.forecaster))
    if epochs:
        found["losses.png"] = plotting.losses_picture(epochs, history.series)
    return found


def of_contest(history: History, contest: Contest, contender: FittedModel) -> dict[str, "Figure"]:
    """Of the parent run: all entrants by lead, and the contender's forecasts."""
    raw, naive = contest.judged[contest.election.contender], contest.judged[WEEKLY_NAIVE]
    calibrated = raw.calibrated(contender)
    by_lead = {name: judged.pinball_by_lead() for name, judged in contest.judged.items()}
    return {
        "contender.png": _validation(history, calibrated, naive),
        "error_by_lead.png": plotting.lead_picture(history.series, by_lead, "MWh"),
        "calibration.png": _calibration(history, raw, calibrated),
    }


def _validation(history: History, judged: Judged, naive: Judged) -> "Figure":
    return plotting.validation_picture(history, judged.origins, judged.quantiles, naive.forecast.median)


def _calibration(history: History, raw: Judged, calibrated: Judged) -> "Figure":
    shares = {"as trained": raw.shares_below(), "as published, fitted on these days": calibrated.shares_below()}
    return plotting.calibration_picture(history.series, shares)


def _attention(history: History, forecaster: Attentive) -> np.ndarray:
    """Of the forecast that follows the history: [horizon days, past days]."""
    with torch.no_grad():
        weights: np.ndarray = forecaster.attention_map(forecaster.inputs(history, np.array([len(history)])))[0].numpy()
    return weights
