"""The contest after a training: candidate, reigning champion and weekly naive on the same validation windows."""

import logging
from dataclasses import dataclass
from datetime import datetime

from forecasting import metrics
from forecasting.choosing import Election, elect
from forecasting.domain import DAILY
from forecasting.errors import RegistryError
from forecasting.history import History
from forecasting.jobs.champion import load, reigning
from forecasting.models.weekly_naive import WeeklyNaive
from forecasting.predicting import FittedModel, Score, score
from forecasting.service import Service
from forecasting.store.versions import ModelVersion
from forecasting.windows import Split

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contest:
    """All that were scored on the same validation windows, and the outcome."""

    scores: dict[str, Score]
    champion: ModelVersion | None
    election: Election


def weekly_naive(parts: Split) -> FittedModel:
    """The baseline, with bands from its errors on the training windows."""
    return FittedModel("weekly_naive", WeeklyNaive(parts.spec.horizon_days).fit(parts.train), parts.spec, parts.scaler)


def hold_contest(service: Service, candidate: FittedModel, history: History, parts: Split, as_of: datetime) -> Contest:
    """Score the candidate, the reigning champion and weekly naive on the same windows, bands as each was trained."""
    scale = metrics.seasonal_scale(history.energy_mwh[: -service.settings.training.validation_days])
    scores = {
        name: score(model, history, parts.validation, scale)
        for name, model in (("candidate", candidate), ("weekly_naive", weekly_naive(parts)))
    }
    champion = reigning(service, history.series, DAILY, as_of)
    if champion is None:
        return Contest(scores, None, elect(scores["candidate"], None))
    try:
        model = load(service, champion)
    except RegistryError as error:
        logger.warning("champion version %s cannot be used: %s", champion.version, error)
        reason = f"champion version {champion.version} cannot be used ({error.problem})"
        return Contest(scores, None, elect(scores["candidate"], None, reason))
    if model.spec.horizon_days != parts.spec.horizon_days:
        reason = f"champion version {champion.version} forecasts {model.spec.horizon_days} days"
        return Contest(scores, None, elect(scores["candidate"], None, reason))
    scores["champion"] = score(model.uncalibrated(), history, parts.validation, scale)
    return Contest(scores, champion, elect(scores["candidate"], scores["champion"]))
