"""The contest after a training: every candidate and the reigning champion, from the same recent origins."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from forecasting import metrics
from forecasting.choosing import Election, Entrant, elect
from forecasting.domain import Resolution
from forecasting.errors import RegistryError
from forecasting.history import History
from forecasting.jobs.champion import load, reigning
from forecasting.models import MODELS
from forecasting.predicting import FittedModel, Score, losses_by_day, score
from forecasting.service import Service
from forecasting.store.versions import ModelVersion

logger = logging.getLogger(__name__)
CHAMPION, WEEKLY_NAIVE = "champion", "weekly_naive"


@dataclass(frozen=True)
class Contest:
    """Scores by family, and of the champion; and the outcome."""

    scores: Mapping[str, Score]
    champion: ModelVersion | None
    election: Election


def hold_contest(
    service: Service,
    candidates: Mapping[str, FittedModel],
    history: History,
    origins: np.ndarray,
    resolution: Resolution,
    as_of: datetime,
) -> Contest:
    """Score all from the same origins, which none has learnt from, bands as each was trained."""
    scale = metrics.seasonal_scale(history.before(int(origins[0])).energy_mwh)
    entrants = {
        name: Entrant(name, losses_by_day(model, history, origins), MODELS[name].baseline) for name, model in candidates.items()
    }
    scores = {name: score(model, history, origins, scale) for name, model in candidates.items()}
    champion = reigning(service, history.series, resolution, as_of)
    if champion is None:
        return Contest(scores, None, elect(entrants, None))
    layout = next(iter(candidates.values())).forecaster.layout
    try:
        model = load(service, champion).uncalibrated()
    except RegistryError as error:
        logger.warning("champion version %s cannot be used: %s", champion.version, error)
        reason = f"champion version {champion.version} cannot be used ({error.problem})"
        return Contest(scores, None, elect(entrants, None, reason))
    if model.forecaster.layout.horizon_steps != layout.horizon_steps:
        reason = f"champion version {champion.version} forecasts {model.forecaster.layout.horizon_days} days"
        return Contest(scores, None, elect(entrants, None, reason))
    scores[CHAMPION] = score(model, history, origins, scale)
    return Contest(scores, champion, elect(entrants, Entrant(champion.family, losses_by_day(model, history, origins))))
