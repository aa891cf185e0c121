"""Retrain: fit a candidate on what is known, register it, and let it stand against the champion."""

import hashlib
import json
import logging
import math
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from forecasting import calendar, metrics, plotting
from forecasting.artefact import Artefact, pack
from forecasting.choosing import Election, elect
from forecasting.domain import DAILY, Series
from forecasting.errors import RegistryError, TrainingError
from forecasting.history import History, require_recent
from forecasting.jobs import Progress, silent
from forecasting.jobs.champion import load, reigning
from forecasting.jobs.history import known_history
from forecasting.models import MODELS, build
from forecasting.models.weekly_naive import WeeklyNaive
from forecasting.predicting import MIDDLE, FittedModel, Score, score
from forecasting.registry import Training
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.versions import ModelVersion, NewVersion, ScoreRow
from forecasting.training import Epoch, repeatable, train
from forecasting.windows import Split, WindowSpec, split

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """The version that stands for this history. `trained` is False where it had been trained before."""

    version: ModelVersion
    trained: bool

    def __str__(self) -> str:
        verb = "trained" if self.trained else "had been trained before"
        return f"{self.version.model_name} version {self.version.version} {verb}; {self.version.reason}"


@dataclass(frozen=True)
class Candidate:
    """A fitted model with what was seen while fitting it."""

    model: FittedModel
    options: dict[str, Any]
    epochs: list[Epoch]
    seconds: float


@dataclass(frozen=True)
class Contest:
    """All that were scored on the same validation windows, and the outcome."""

    scores: dict[str, Score]
    champion: ModelVersion | None
    election: Election


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
        contest = _contest(service, candidate.model, history, parts, as_of)
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


def weekly_naive(parts: Split) -> FittedModel:
    """The baseline, with bands from its errors on the training windows."""
    return FittedModel("weekly_naive", WeeklyNaive(parts.spec.horizon_days).fit(parts.train), parts.spec, parts.scaler)


def _contest(service: Service, candidate: FittedModel, history: History, parts: Split, as_of: datetime) -> Contest:
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


def _register(
    service: Service, history: History, parts: Split, candidate: Candidate, contest: Contest, as_of: datetime, key: str
) -> ModelVersion:
    """MLflow first, then Postgres: a version that Postgres does not know does not exist, and the next attempt removes it."""
    model = candidate.model.calibrated(history, parts.validation)
    facts = _facts(service, history, parts, as_of)
    artefact = pack(model, candidate.options, facts)
    series = history.series
    training = Training(
        model_name=f"fortnight-{series.series_id}-{DAILY}",
        experiment=f"fortnight/{series.series_id}/{DAILY}",
        run_name=f"{facts['last_day']} {model.family}",
        retrain_key=key,
        artefact=artefact,
        params={**service.settings.model.model_dump(), **service.settings.training.model_dump(), **facts},
        metrics=_metrics(contest, candidate.seconds),
        epochs=candidate.epochs,
        tags=_tags(service, series, model.family, as_of),
        figures=_figures(history, parts, candidate.epochs, model),
    )
    registered = service.registry.register(training)
    return service.store.versions.add(
        _new_version(service, history, training, artefact, contest.election, as_of, registered.version, registered.run_id),
        _score_rows(history, parts, contest, registered.version),
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


def _facts(service: Service, history: History, parts: Split, as_of: datetime) -> dict[str, Any]:
    """Where a model comes from, for its card and its run's parameters."""
    first = history.days[parts.validation.positions[0]]
    return {
        "series": history.series.series_id,
        "simulated": history.series.simulated,
        "resolution": DAILY,
        "as_of": as_of.isoformat(),
        "first_day": f"{history.days[0]:%F}",
        "last_day": f"{history.days[-1]:%F}",
        "days": len(history),
        "filled_days": int(history.filled.sum()),
        "first_validation_day": f"{first:%F}",
        "train_windows": len(parts.train),
        "validation_windows": len(parts.validation),
        "history_sha256": history.fingerprint,
        "git_sha": service.git_sha,
    }


def _metrics(contest: Contest, seconds: float) -> dict[str, float]:
    found = {"train_seconds": seconds}
    for name, result in contest.scores.items():
        prefix = "" if name == "candidate" else f"{name}."
        measured = asdict(result)
        measured.pop("windows")
        found |= {f"{prefix}validation_{metric}": value for metric, value in measured.items()}
    naive = contest.scores["weekly_naive"].pinball_mwh
    found["validation_skill"] = 1 - contest.scores["candidate"].pinball_mwh / naive if naive else math.nan
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _tags(service: Service, series: Series, family: str, as_of: datetime) -> dict[str, str]:
    return {
        "series": series.series_id,
        "simulated": str(series.simulated).lower(),
        "resolution": DAILY,
        "family": family,
        "as_of": as_of.isoformat(),
        "git_sha": service.git_sha,
    }


def _figures(history: History, parts: Split, epochs: list[Epoch], model: FittedModel) -> dict[str, Any]:
    positions = parts.validation.positions
    naive = weekly_naive(parts).quantiles_mwh(history, positions)[..., MIDDLE]
    return {
        "validation.png": plotting.validation_picture(history, positions, model.quantiles_mwh(history, positions), naive),
        "losses.png": plotting.losses_picture(epochs, history.series),
    }


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
        git_sha=service.git_sha,
        promoted=election.promoted,
        reason=election.reason,
    )


def _score_rows(history: History, parts: Split, contest: Contest, version: int) -> list[ScoreRow]:
    positions = parts.validation.positions
    first, last = history.days[positions[0]], history.days[positions[-1] + parts.spec.horizon_days - 1]
    versions = {"candidate": version, "champion": contest.champion.version if contest.champion else None}
    return [
        ScoreRow(
            forecaster=name,
            version=versions.get(name),
            first_target=first.date(),
            last_target=last.date(),
            **asdict(result),
        )
        for name, result in contest.scores.items()
    ]
