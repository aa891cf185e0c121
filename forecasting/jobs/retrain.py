"""Retrain: fit a candidate on what is known, register it, and let it stand against the champion."""

import hashlib
import json
import logging
import math
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forecasting import calendar
from forecasting.artefact import Artefact, pack
from forecasting.choosing import Election
from forecasting.domain import DAILY
from forecasting.errors import TrainingError
from forecasting.history import History, require_recent
from forecasting.jobs import Progress, record, silent
from forecasting.jobs.contest import Contest, hold_contest
from forecasting.jobs.history import known_history
from forecasting.models import MODELS, build
from forecasting.predicting import FittedModel
from forecasting.registry import Training
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.versions import ModelVersion, NewVersion
from forecasting.training import Epoch, repeatable, train
from forecasting.windows import Split, WindowSpec, split

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """The version that stands for this history. `trained` is False where it had been trained before."""

    version: ModelVersion
    trained: bool

    def __str__(self) -> str:
        name = f"{self.version.model_name} version {self.version.version}"
        return f"{name} trained; {self.version.reason}" if self.trained else f"{name} had been trained before on the same readings"


@dataclass(frozen=True)
class Candidate:
    """A fitted model with what was seen while fitting it."""

    model: FittedModel
    options: dict[str, Any]
    epochs: list[Epoch]
    seconds: float


def retrain(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> RetrainReport:
    """Train once for each history and set of options; asked again, finish what an interrupted run left undone.

    Raises:
        HistoryError: too little, too old or too broken a history.
        RegistryError: MLflow does not answer.
    """
    settings, series = service.settings, demand_series(given)
    spec = WindowSpec(settings.model.past_days, settings.model.horizon_days)
    history = known_history(service, series, as_of)
    require_recent(history, as_of, spec.past_days, spec.horizon_days)
    parts = split(history, spec, settings.training.validation_days)
    key = retrain_key(service, history)
    version = service.store.versions.by_retrain_key(key)
    trained = version is None
    if version is None:
        candidate = _fit(service, parts, progress)
        contest = hold_contest(service, candidate.model, history, parts, as_of)
        version = _register(service, history, parts, candidate, contest, as_of, key)
    _settle(service, version)
    report = RetrainReport(version, trained)
    logger.info("%s: %s", series.series_id, report)
    return report


def retrain_key(service: Service, history: History) -> str:
    """What a retrain depends on, as one digest: same key, same bits."""
    told = {
        "history": history.fingerprint,
        "model": service.settings.model.model_dump(),
        "training": service.settings.training.model_dump(),
        "features": calendar.FEATURES,
        "resolution": DAILY,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _fit(service: Service, parts: Split, progress: Progress) -> Candidate:
    model, training = service.settings.model, service.settings.training
    options = MODELS[model.family].options(model)
    epochs: list[Epoch] = []

    def report(epoch: Epoch) -> None:
        epochs.append(epoch)
        progress("training", epoch.number, epoch.epochs)

    started = time.perf_counter()
    with repeatable(training.seed):
        network = build(model.family, **options)
        train(network, parts.train, parts.validation, training, report)
    if not math.isfinite(epochs[-1].validation):
        raise TrainingError(
            f"training diverged: the loss is {epochs[-1].validation} after {len(epochs)} epochs",
            "lower learning_rate in [training]",
        )
    fitted = FittedModel(model.family, network, parts.spec, parts.scaler)
    return Candidate(fitted, options, epochs, time.perf_counter() - started)


def _register(
    service: Service, history: History, parts: Split, candidate: Candidate, contest: Contest, as_of: datetime, key: str
) -> ModelVersion:
    """MLflow first, then Postgres: a version that Postgres does not know does not exist, and the next attempt removes it."""
    model = candidate.model.calibrated(history, parts.validation)
    facts = record.facts(service, history, parts, as_of)
    artefact = pack(model, candidate.options, facts)
    series = history.series
    training = Training(
        model_name=f"fortnight-{series.series_id}-{DAILY}",
        experiment=f"fortnight/{series.series_id}/{DAILY}",
        run_name=f"{facts['last_day']} {model.family}",
        retrain_key=key,
        artefact=artefact,
        params={**service.settings.model.model_dump(), **service.settings.training.model_dump(), **facts},
        metrics=record.metrics(contest, candidate.seconds),
        epochs=candidate.epochs,
        tags=record.tags(service, series, model.family, as_of),
        figures=record.figures(history, parts, candidate.epochs, model),
    )
    registered = service.registry.register(training)
    return service.store.versions.add(
        _new_version(service, history, training, artefact, contest.election, as_of, registered.version, registered.run_id),
        record.score_rows(history, parts, contest, registered.version),
    )


def _settle(service: Service, version: ModelVersion) -> None:
    """Let the MLflow alias follow the election, unless a later one has spoken since."""
    if version.alias_settled_at is not None:
        return
    service.registry.describe(version.model_name, version.version, version.mlflow_run_id, version.reason)
    newest = service.store.versions.champion(
        version.series_key, version.resolution, datetime.max.replace(tzinfo=version.as_of.tzinfo)
    )
    if version.promoted and newest is not None and newest.version == version.version:
        service.registry.move_champion(version.model_name, version.version)
    service.store.versions.settle_alias(version)


def _new_version(
    service: Service,
    history: History,
    training: Training,
    artefact: Artefact,
    election: Election,
    as_of: datetime,
    version: int,
    run_id: str,
) -> NewVersion:
    return NewVersion(
        series_key=service.store.readings.key(history.series),
        resolution=DAILY,
        retrain_key=training.retrain_key,
        as_of=as_of,
        model_name=training.model_name,
        version=version,
        family=service.settings.model.family,
        mlflow_run_id=run_id,
        weights_sha256=artefact.weights_sha256,
        card_sha256=artefact.card_sha256,
        history_sha256=history.fingerprint,
        history_start=history.start_of(0),
        history_end=history.origin,
        git_sha=service.git_sha,
        promoted=election.promoted,
        reason=election.reason,
    )
