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
from forecasting.predicting import Judged, Score
from forecasting.service import Service
from forecasting.store.versions import ModelVersion

logger = logging.getLogger(__name__)
CHAMPION, WEEKLY_NAIVE = "champion", "weekly_naive"


@dataclass(frozen=True)
class Contest:
    """Who was judged, by family, and the champion of before under `champion`; their scores, and the outcome."""

    judged: Mapping[str, Judged]
    scores: Mapping[str, Score]
    champion: ModelVersion | None
    election: Election

    @property
    def winner(self) -> str:
        """Under which name the one that is in charge from now on was judged."""
        stays = self.champion is not None and not self.election.promoted
        return CHAMPION if stays else self.election.contender


def hold_contest(
    service: Service,
    candidates: Mapping[str, Judged],
    history: History,
    origins: np.ndarray,
    resolution: Resolution,
    as_of: datetime,
) -> Contest:
    """Score all from the same origins, which none has learnt from, bands as each was trained."""
    scale = metrics.seasonal_scale(history.before(int(origins[0])).energy_mwh)
    entrants = {name: Entrant(name, judged.losses_by_day(), MODELS[name].baseline) for name, judged in candidates.items()}
    scores = {name: judged.score(scale) for name, judged in candidates.items()}
    champion = reigning(service, history.series, resolution, as_of)
    if champion is None:
        return Contest(candidates, scores, None, elect(entrants, None))
    layout = next(iter(candidates.values())).layout
    try:
        model = load(service, champion).uncalibrated()
    except RegistryError as error:
        logger.warning("champion version %s cannot be used: %s", champion.version, error)
        reason = f"champion version {champion.version} cannot be used ({error.problem})"
        return Contest(candidates, scores, None, elect(entrants, None, reason))
    if model.forecaster.layout.horizon_steps != layout.horizon_steps:
        reason = f"champion version {champion.version} forecasts {model.forecaster.layout.horizon_days} days"
        return Contest(candidates, scores, None, elect(entrants, None, reason))
    reigned = Judged.of(model, history, origins)
    judged, scores = {**candidates, CHAMPION: reigned}, {**scores, CHAMPION: reigned.score(scale)}
    return Contest(judged, scores, champion, elect(entrants, Entrant(champion.family, reigned.losses_by_day())))
