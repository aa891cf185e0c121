"""What a retrain leaves behind for people: parameters, metrics and tags in MLflow, scores in Postgres."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from forecasting.domain import DAILY, Series
from forecasting.history import History
from forecasting.jobs.contest import CHAMPION, WEEKLY_NAIVE, Contest
from forecasting.predicting import FittedModel, Judged
from forecasting.registry import RETRAIN, Learnt, Registered
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


def tags(service: Service, series: Series, contest: Contest, as_of: datetime) -> dict[str, str]:
    """What runs and versions are filtered by, beside the family of each."""
    judged = contest.judged[contest.election.contender]
    return {
        "series": series.series_id,
        "simulated": str(series.simulated).lower(),
        "resolution": DAILY,
        "information": judged.layout.information.value,
        "as_of": as_of.isoformat(),
        "git_sha": service.git_sha,
    }


def outcome(contest: Contest) -> dict[str, str]:
    """Of the parent run, which is found by its kind: who stood, who is champion from now on, and why."""
    election = contest.election
    stays = None if contest.winner == election.contender else contest.champion
    return {
        "kind": RETRAIN,
        "contender": election.contender,
        "champion_family": election.contender if stays is None else stays.family,
        "promoted": str(stays is None).lower(),
        "fortnight.election": election.reason,
        "mlflow.note.content": election.reason,
    }


def learnt(history: History, origins: np.ndarray, as_of: datetime) -> Learnt:
    """The readings behind a retrain, as they can be asked for again."""
    series, first, end = history.series, history.start_of(0), history.origin
    query = (
        f"SELECT interval_start, value FROM published.demand_as_of('{as_of.isoformat()}') WHERE series_id = '{series.series_id}' "  # noqa: S608
        f"AND interval_start >= '{first.isoformat()}' AND interval_start < '{end.isoformat()}' ORDER BY interval_start"
    )
    profile = {
        "num_rows": int(history.weights.sum()),
        "days": len(history),
        "filled_days": int(history.filled.sum()),
        "first_day": f"{history.days[0]:%F}",
        "first_validation_day": f"{history.days[origins[0]]:%F}",
        "last_day": f"{history.days[-1]:%F}",
        "known_at": as_of.isoformat(),
    }
    columns = {"interval_start": "datetime", "value": "double"}
    return Learnt(f"{series.series_id} readings", history.fingerprint, query, columns, profile)


def contest_metrics(contest: Contest) -> dict[str, float]:
    """Of the parent run: how the one did that is champion from now on, and the loss of every entrant. MLflow draws what is before
    the slash as a section of its own."""
    told = {f"champion/{name}": value for name, value in _measured(contest, contest.winner).items()}
    names = {CHAMPION: "champion_before"}
    told.update({f"pinball_mwh/{names.get(name, name)}": score.pinball_mwh for name, score in contest.scores.items()})
    return {name: value for name, value in told.items() if math.isfinite(value)}


def metrics(contest: Contest, family: str, seconds: float) -> dict[str, float]:
    """Of a model's own run: its scores, and its skill against weekly naive."""
    measured = {f"validation_{name}": value for name, value in _measured(contest, family).items()}
    return {"train_seconds": seconds, **{name: value for name, value in measured.items() if math.isfinite(value)}}


def _measured(contest: Contest, name: str) -> dict[str, float]:
    measured = asdict(contest.scores[name])
    measured.pop("windows")
    naive = contest.scores[WEEKLY_NAIVE].pinball_mwh
    return {**measured, "skill": 1 - contest.scores[name].pinball_mwh / naive if naive else math.nan}


def by_lead(judged: Judged) -> dict[str, list[float]]:
    """Of a model's own run, a value for each lead day; a metric that is not known of every lead is left out."""
    found = {"validation_pinball_mwh_by_lead": judged.pinball_by_lead(), "validation_mape_by_lead": judged.mape_by_lead()}
    return {name: values for name, values in found.items() if np.isfinite(values).all()}


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
