"""What a retrain leaves behind for people: parameters, metrics, tags and pictures in MLflow, scores in Postgres."""

import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

from forecasting import plotting
from forecasting.domain import DAILY, Series
from forecasting.history import History
from forecasting.jobs.contest import Contest, weekly_naive
from forecasting.predicting import MIDDLE, FittedModel
from forecasting.service import Service
from forecasting.store.versions import ScoreRow
from forecasting.training import Epoch
from forecasting.windows import Split


def facts(service: Service, history: History, parts: Split, as_of: datetime) -> dict[str, Any]:
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


def metrics(contest: Contest, seconds: float) -> dict[str, float]:
    found = {"train_seconds": seconds}
    for name, result in contest.scores.items():
        prefix = "" if name == "candidate" else f"{name}."
        measured = asdict(result)
        measured.pop("windows")
        found |= {f"{prefix}validation_{metric}": value for metric, value in measured.items()}
    naive = contest.scores["weekly_naive"].pinball_mwh
    found["validation_skill"] = 1 - contest.scores["candidate"].pinball_mwh / naive if naive else math.nan
    return {name: value for name, value in found.items() if math.isfinite(value)}


def tags(service: Service, series: Series, family: str, as_of: datetime) -> dict[str, str]:
    return {
        "series": series.series_id,
        "simulated": str(series.simulated).lower(),
        "resolution": DAILY,
        "family": family,
        "as_of": as_of.isoformat(),
        "git_sha": service.git_sha,
    }


def figures(history: History, parts: Split, epochs: list[Epoch], model: FittedModel) -> dict[str, Any]:
    positions = parts.validation.positions
    naive = weekly_naive(parts).quantiles_mwh(history, positions)[..., MIDDLE]
    return {
        "validation.png": plotting.validation_picture(history, positions, model.quantiles_mwh(history, positions), naive),
        "losses.png": plotting.losses_picture(epochs, history.series),
    }


def score_rows(history: History, parts: Split, contest: Contest, version: int) -> list[ScoreRow]:
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
