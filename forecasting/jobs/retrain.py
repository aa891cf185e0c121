"""Retrain: fit every candidate on what is known, register them, and let the best stand against the champion."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from forecasting import calendar
from forecasting.domain import DAILY, Information
from forecasting.errors import SettingsError, TrainingError
from forecasting.history import History, require_recent
from forecasting.jobs import Progress, silent
from forecasting.jobs.contest import hold_contest
from forecasting.jobs.history import known_history
from forecasting.jobs.register import Candidate, register
from forecasting.models import MODELS, build
from forecasting.models.base import Epoch
from forecasting.predicting import FittedModel, Judged
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.versions import ModelVersion
from forecasting.training import one_thread, repeatable
from forecasting.windows import Layout, require_trainable, whole_origins

logger = logging.getLogger(__name__)
HALF_A_DAY = timedelta(hours=12)
"""Runs come an hour early or late: clocks change, and runs are repeated."""
FEWEST_OUTLOOKS = 21
"""Origins with a weather forecast, below which models that read forecasts cannot be judged."""


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """The version that stood for election for this history. `trained` is False where it had been trained before."""

    version: ModelVersion
    trained: bool

    def __str__(self) -> str:
        name = f"{self.version.model_name} version {self.version.version} ({self.version.family})"
        return f"{name} trained; {self.version.reason}" if self.trained else f"{name} had been trained before on the same readings"


@one_thread()
def retrain(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> RetrainReport:
    """Train once for each history and set of options; asked again, finish what an interrupted run left undone.

    Raises:
        HistoryError: too little, too old or too broken a history.
        RegistryError: MLflow does not answer.
        TrainingError: no candidate could be fitted.
    """
    settings = service.settings
    _require_known(settings.model.candidates)
    layout = daily_layout(service)
    history = known_history(service, given, as_of)
    require_recent(history, as_of, layout.past_days, layout.horizon_days)
    until = require_trainable(history, layout.past_days, layout.horizon_days, settings.training.validation_days)
    key = retrain_key(service, history)
    version = service.store.versions.by_retrain_key(key)
    trained = version is None
    if version is None:
        origins = whole_origins(history, until, layout.horizon_days)
        layout, origins = _judged_with_outlooks(history, layout, origins)
        candidates = _fit_all(service, history, layout, until, origins, progress)
        judged = {name: candidate.judged for name, candidate in candidates.items()}
        contest = hold_contest(service, judged, history, origins, layout.resolution, as_of)
        version = register(service, history, origins, candidates, contest, as_of, key)
    _settle(service, version)
    report = RetrainReport(version, trained)
    logger.info("%s: %s", history.series.series_id, report)
    return report


def _judged_with_outlooks(history: History, layout: Layout, origins: np.ndarray) -> tuple[Layout, np.ndarray]:
    """What may be known of the weather, and the origins to judge by: those with a weather forecast; the past alone where too few
    are kept, and nothing where no temperature is."""
    if history.temperature_c is None and not layout.temperature:
        return replace(layout, information=Information.U), origins
    kept = np.array([origin for origin in origins.tolist() if origin in history.outlooks_c], dtype=int)
    if layout.information is not Information.F or len(kept) >= FEWEST_OUTLOOKS:
        return layout, kept if layout.information is Information.F else origins
    logger.warning(
        "%s: weather forecasts of only %d of %d origins are kept, %d are needed to judge by: candidates know the past weather (P)",
        history.series.series_id,
        len(kept),
        len(origins),
        FEWEST_OUTLOOKS,
    )
    return replace(layout, information=Information.P), origins


def _require_known(candidates: Sequence[str]) -> None:
    for name in candidates:
        if name not in MODELS:
            raise SettingsError(f"setting model.candidates: no model family {name!r}", f"use some of {', '.join(MODELS)}")


def daily_layout(service: Service) -> Layout:
    """What the candidates of the settings read and write."""
    model = service.settings.model
    return Layout(DAILY, 1, model.past_days, model.horizon_days, Information(model.information), model.temperature)


def retrain_if_due(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> RetrainReport | str:
    """`retrain`, unless the last one is younger than the settings ask for."""
    series, every = demand_series(given), timedelta(days=service.settings.training.every_days)
    last = service.store.versions.last_retrain(service.store.readings.key(series), DAILY, as_of)
    if last is not None and as_of - last < every - HALF_A_DAY and every > HALF_A_DAY * 2:
        told = f"trained {last.astimezone(series.zone):%F}, due every {every.days} days"
        logger.info("%s: %s", series.series_id, told)
        return told
    return retrain(service, given, as_of, progress)


def retrain_key(service: Service, history: History) -> str:
    """What a retrain depends on, as one digest: same key, same bits."""
    told = {
        "history": history.fingerprint,
        "model": service.settings.model.model_dump(),
        "training": service.settings.training.model_dump(exclude={"every_days"}),
        "features": calendar.FEATURES,
        "resolution": DAILY,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _fit_all(
    service: Service, history: History, layout: Layout, until: int, origins: np.ndarray, progress: Progress
) -> dict[str, Candidate]:
    """Every candidate that can be fitted, by family; one that cannot is left out with a warning."""
    fitted: dict[str, Candidate] = {}
    for family in service.settings.model.candidates:
        try:
            fitted[family] = _fit(service, family, history, layout, until, origins, progress)
        except TrainingError as error:
            logger.warning("%s: %s left out: %s", history.series.series_id, family, error)
            failure = error
    if not fitted:
        raise failure
    return fitted


def _fit(
    service: Service, family: str, history: History, layout: Layout, until: int, origins: np.ndarray, progress: Progress
) -> Candidate:
    training = service.settings.training
    options = MODELS[family].options(service.settings.model)
    epochs: list[Epoch] = []

    def report(epoch: Epoch) -> None:
        epochs.append(epoch)
        progress(f"training {family}", epoch.number, epoch.epochs)

    progress(f"training {family}", 0, 1)
    started = time.perf_counter()
    with repeatable(training.seed):
        forecaster = build(family, layout, **options)
        forecaster.learn(history, until, training, report)
    progress(f"training {family}", epochs[-1].epochs if epochs else 1, epochs[-1].epochs if epochs else 1)
    if epochs and not math.isfinite(epochs[-1].validation):
        raise TrainingError(
            f"training of {family} diverged: the loss is {epochs[-1].validation} after {len(epochs)} epochs",
            "lower learning_rate in [training]",
        )
    raw = FittedModel.raw(family, forecaster)
    judged = Judged.of(raw, history, origins)
    model = raw.calibrated(history, origins, judged.forecast)
    return Candidate(model, options, epochs, judged, time.perf_counter() - started)


def _settle(service: Service, version: ModelVersion) -> None:
    """Let MLflow follow the election: what was said and who won; and the alias, unless a later election has spoken since."""
    if version.alias_settled_at is not None:
        return
    versions = service.store.versions
    then = versions.champion(version.series_key, version.resolution, version.as_of)
    won = then is not None and then.version == version.version
    service.registry.describe(version.model_name, version.version, version.mlflow_run_id, version.reason, champion=won)
    newest = versions.champion(version.series_key, version.resolution, datetime.max.replace(tzinfo=version.as_of.tzinfo))
    if newest is not None and newest.version == version.version:
        service.registry.move_champion(version.model_name, version.version)
    versions.settle_alias(version)
