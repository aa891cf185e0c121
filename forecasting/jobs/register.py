"""The end of a retrain: every candidate becomes a run and a version in MLflow, then all of them rows in Postgres at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from forecasting.artefact import Artefact, pack
from forecasting.domain import DAILY
from forecasting.history import History
from forecasting.jobs import pictures, record
from forecasting.jobs.contest import Contest
from forecasting.models.base import Epoch
from forecasting.predicting import FittedModel, Judged
from forecasting.registry import Registered, Retraining, Trained
from forecasting.service import Service
from forecasting.serving import readings_of
from forecasting.store.versions import ModelVersion, NewVersion


@dataclass(frozen=True)
class Candidate:
    """A fitted model with what was seen while fitting it; `judged` is what it forecast with bands as trained."""

    model: FittedModel
    options: dict[str, Any]
    epochs: list[Epoch]
    judged: Judged
    seconds: float


def register(
    service: Service,
    history: History,
    origins: np.ndarray,
    candidates: Mapping[str, Candidate],
    contest: Contest,
    as_of: datetime,
    key: str,
) -> ModelVersion:
    """Register the candidates of a retrain; interrupted, the same retrain begins this anew.

    Args:
        key: see `retrain_key`.

    Returns:
        the contender.

    Raises:
        RegistryError: MLflow does not answer.
    """
    facts, seed = record.facts(service, history, origins, as_of), service.settings.training.seed
    artefacts = {name: pack(each.model, each.options, history.series, {**facts, "seed": seed}) for name, each in candidates.items()}
    retraining = Retraining(
        model_name=f"fortnight-{history.series.series_id}-{DAILY}",
        experiment=f"fortnight/{history.series.series_id}/{DAILY}",
        run_name=f"{facts['last_day']}",
        retrain_key=key,
        tags=record.tags(service, history.series, contest, as_of),
        outcome=record.outcome(contest),
        learnt=record.learnt(history, origins, as_of),
        example=readings_of(history.since(-max(each.model.forecaster.layout.past_days for each in candidates.values()))),
        params={**service.settings.training.model_dump(), **facts},
        metrics=record.contest_metrics(contest),
        figures=pictures.of_contest(history, contest, candidates[contest.election.contender].model),
        models=[_trained(name, each, artefacts[name], history, contest, seed) for name, each in candidates.items()],
    )
    registered = service.registry.register(retraining)
    versions = _rows(service, history, candidates, artefacts, registered, contest, retraining, as_of)
    scores = record.score_rows(history, origins, contest, registered)
    return service.store.versions.add(versions, scores, contest.election.reason if contest.election.promoted else None)


def _trained(family: str, each: Candidate, artefact: Artefact, history: History, contest: Contest, seed: int) -> Trained:
    return Trained(
        family=family,
        artefact=artefact,
        params={**each.options, **record.layout_params(each.model), "seed": seed},
        metrics=record.metrics(contest, family, each.seconds),
        by_lead=record.by_lead(each.judged),
        epochs=each.epochs,
        figures=pictures.of_model(history, contest, family, each.model, each.epochs),
    )


def _rows(
    service: Service,
    history: History,
    candidates: Mapping[str, Candidate],
    artefacts: Mapping[str, Artefact],
    registered: Mapping[str, Registered],
    contest: Contest,
    retraining: Retraining,
    as_of: datetime,
) -> list[NewVersion]:
    election = contest.election
    return [
        NewVersion(
            series_key=service.store.readings.key(history.series),
            resolution=DAILY,
            retrain_key=retraining.retrain_key,
            as_of=as_of,
            model_name=retraining.model_name,
            version=registered[name].version,
            family=name,
            information=each.model.forecaster.layout.information,
            mlflow_run_id=registered[name].run_id,
            weights_sha256=artefacts[name].weights_sha256,
            card_sha256=artefacts[name].card_sha256,
            history_sha256=history.fingerprint,
            history_start=history.start_of(0),
            history_end=history.origin,
            git_sha=service.git_sha,
            contender=name == election.contender,
            reason=election.reason if name == election.contender else f"not the contender; {election.reason}",
        )
        for name, each in candidates.items()
    ]
