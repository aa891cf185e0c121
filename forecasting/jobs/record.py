"""What a retrain leaves behind for people: parameters, metrics, tags and pictures in MLflow, scores in Postgres."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from forecasting import plotting
from forecasting.domain import DAILY, Series
from forecasting.history import History
from forecasting.jobs.contest import CHAMPION, WEEKLY_NAIVE, Contest
from forecasting.models.base import Epoch
from forecasting.predicting import FittedModel, published_quantiles
from forecasting.registry import Registered
from forecasting.service import Service
from forecasting.store.versions import ScoreRow

CANDIDATE = "candidate"


def facts(service: Service, history: History, origins: np.ndarray, as_of: datetime) -> dict[str, Any]:
    """Where the models of a retrain come from, for their cards and the runs' parameters."""
    return {
        "series": history.series.series_id,
        "simulated": history.series.simulated,
        "resolution": DAILY,
        "as_of": as_of.isoformat(),
        "first_day": f"{history.days[0]:%F}",
        "last_day": f"{history.days[-1]:%F}",
        "days": len(history),
        "filled_days": int(history.filled.sum()),
        "first_validation_day": f"{history.days[origins[0]]:%F}",
        "validation_origins": len(origins),
        "history_sha256": history.fingerprint,
        "git_sha": service.git_sha,
    }


def layout_params(model: FittedModel) -> dict[str, Any]:
    """What a model reads and writes."""
    return {name: str(value) for name, value in asdict(model.forecaster.layout).items()}


def tags(service: Service, series: Series, as_of: datetime) -> dict[str, str]:
    """What runs are filtered by."""
    return {
        "series": series.series_id,
        "simulated": str(series.simulated).lower(),
        "resolution": DAILY,
        "information": service.settings.model.information,
        "as_of": as_of.isoformat(),
        "git_sha": service.git_sha,
    }


def contest_metrics(contest: Contest) -> dict[str, float]:
    """Of the parent run: the loss of every entrant."""
    return {f"pinball_mwh.{name}": score.pinball_mwh for name, score in contest.scores.items() if math.isfinite(score.pinball_mwh)}


def metrics(contest: Contest, family: str, seconds: float) -> dict[str, float]:
    """Of a model's own run: its scores, and its skill against weekly naive."""
    measured = asdict(contest.scores[family])
    measured.pop("windows")
    found = {"train_seconds": seconds, **{f"validation_{name}": value for name, value in measured.items()}}
    naive = contest.scores[WEEKLY_NAIVE].pinball_mwh
    found["validation_skill"] = 1 - contest.scores[family].pinball_mwh / naive if naive else math.nan
    return {name: value for name, value in found.items() if math.isfinite(value)}


def figures(
    history: History, origins: np.ndarray, epochs: list[Epoch], model: FittedModel, weekly_naive: FittedModel
) -> dict[str, Any]:
    """Of a model's own run."""
    naive = weekly_naive.forecast(history, origins).median
    quantiles = published_quantiles(model.forecast(history, origins))
    found = {"validation.png": plotting.validation_picture(history, origins, quantiles, naive)}
    if epochs:
        found["losses.png"] = plotting.losses_picture(epochs, history.series)
    return found


def contest_figures(history: History, origins: np.ndarray, models: Mapping[str, FittedModel], contest: Contest) -> dict[str, Any]:
    """Of the parent run: the contender's forecasts."""
    quantiles = published_quantiles(models[contest.election.contender].forecast(history, origins))
    naive = models[WEEKLY_NAIVE].forecast(history, origins).median
    return {"contender.png": plotting.validation_picture(history, origins, quantiles, naive)}


def score_rows(history: History, origins: np.ndarray, contest: Contest, registered: Mapping[str, Registered]) -> list[ScoreRow]:
    """The contender as `candidate`, the champion, and every family under its own name."""
    first, last = history.days[origins[0]], history.days[-1]
    versions = {name: found.version for name, found in registered.items()}
    versions[CANDIDATE] = versions[contest.election.contender]
    if contest.champion is not None:
        versions[CHAMPION] = contest.champion.version
    scores = {**contest.scores, CANDIDATE: contest.scores[contest.election.contender]}
    return [
        ScoreRow(
            forecaster=name,
            version=versions.get(name),
            first_target=first.date(),
            last_target=last.date(),
            **asdict(result),
        )
        for name, result in scores.items()
    ]
