"""What a retrain tells MLflow, in our own words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from forecasting.artefact import Artefact
from forecasting.models.base import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Trained:
    """A model that a retrain fitted, and what its own run shows. `by_lead`: metrics with a value for each lead day."""

    family: str
    artefact: Artefact
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    by_lead: Mapping[str, Sequence[float]]
    epochs: Sequence[Epoch]
    figures: Mapping[str, "Figure"]


@dataclass(frozen=True)
class Learnt:
    """The readings that a retrain learnt from: a digest of them, the query that gives them again, its columns with their types, and
    facts about them."""

    name: str
    digest: str
    query: str
    columns: Mapping[str, str]
    profile: Mapping[str, object]


@dataclass(frozen=True)
class Retraining:
    """All that one retrain leaves in MLflow: a parent run, and below it a run and a version for each model.

    `tags` are on all of them, `outcome` on the parent alone; `example` is a table that all of the models can forecast from.
    """

    model_name: str
    experiment: str
    run_name: str
    retrain_key: str
    tags: Mapping[str, str]
    outcome: Mapping[str, str]
    learnt: Learnt
    example: pd.DataFrame
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    figures: Mapping[str, "Figure"]
    models: Sequence[Trained]


@dataclass(frozen=True, slots=True)
class Registered:
    """Where MLflow put it."""

    run_id: str
    version: int
