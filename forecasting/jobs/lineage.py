"""Explain: from an issue to all that it rests on. Verify: make it again from what was known then, and compare bit for bit."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from forecasting.condition import Condition, age_days
from forecasting.domain import Quantity, Series
from forecasting.errors import FortnightError, RegistryError, StoreError
from forecasting.history import History
from forecasting.issuing import make_issue, weekly_naive
from forecasting.jobs import Progress, silent
from forecasting.jobs.history import Recipe, history_of
from forecasting.jobs.tiers import Files
from forecasting.predicting import FittedModel
from forecasting.service import Service
from forecasting.store.forecasts import VALUES, StoredIssue
from forecasting.training import one_thread


@dataclass(frozen=True)
class Verified:
    """Whether an issue comes out again, and if not, the first thing that differs."""

    issue: StoredIssue
    identical: bool
    told: str

    def __str__(self) -> str:
        first = self.issue.origin.astimezone(ZoneInfo(self.issue.time_zone))
        return f"issue {self.issue.issue_id} ({self.issue.series_id}, from {first:%F}): {self.told}"


def explain(service: Service, issue_id: int) -> list[tuple[str, str]]:
    """What an issue rests on, as pairs of a name and a value, in the order of a story.

    Raises:
        StoreError: there is no such issue.
    """
    issue = service.store.forecasts.told(issue_id)
    zone = ZoneInfo(issue.time_zone)

    def when(moment: datetime | None) -> str:
        return "" if moment is None else f"{moment:%F %H:%M}Z ({moment.astimezone(zone):%a %d %b %Y %H:%M %Z})"

    model = "none: weekly naive, fitted when it was made"
    if issue.model_name is not None:
        model = f"{issue.model_name} version {issue.version} ({issue.family})"
    pairs = [
        ("issue", f"{issue.issue_id} of {issue.series_id} ({issue.series_name})"),
        ("ready at", when(issue.ready_at)),
        ("tier", issue.tier),
        ("why", issue.reason or "the champion, from sound data"),
        ("feed at fault", issue.feed_at_fault or ""),
        ("origin", when(issue.origin)),
        ("leads", f"{issue.leads}, of which {issue.kept_leads} are kept; the readings were {issue.age_days} days old"),
        ("readings as of", when(issue.readings_as_of)),
        ("history", f"{issue.recipe['since'] if issue.recipe else 'unknown'} to the origin, SHA-256 {issue.history_sha256}"),
        ("weather issued at", when(issue.weather_issued_at)),
        ("model", model),
        ("trained on", f"{when(issue.trained_from)} to {when(issue.trained_until)}" if issue.trained_until else ""),
        ("trained as of", when(issue.trained_as_of)),
        ("champion because", issue.promotion or ""),
        ("said when trained", issue.election or ""),
        ("MLflow run", issue.mlflow_run_id or ""),
        ("weights SHA-256", issue.weights_sha256 or ""),
        ("code of training", issue.trained_git_sha or ""),
        ("code of publishing", issue.git_sha),
        ("issue before", "" if issue.previous_issue_id is None else str(issue.previous_issue_id)),
    ]
    return [(name, value) for name, value in pairs if value]


@one_thread()
def verify(service: Service, issue_ids: Collection[int], progress: Progress = silent) -> list[Verified]:
    """Make issues again from the readings and the model that they rest on.

    Raises:
        StoreError: there is no such issue.
    """
    found = []
    for done, issue_id in enumerate(issue_ids):
        progress("verifying", done, len(issue_ids))
        issue = service.store.forecasts.told(issue_id)
        try:
            difference = _difference(service, issue)
        except FortnightError as error:
            difference = f"cannot be made again: {error}"
        found.append(Verified(issue, difference is None, difference or "identical"))
    progress("verifying", len(issue_ids), len(issue_ids))
    return found


def _difference(service: Service, issue: StoredIssue) -> str | None:
    """The first thing in which an issue differs from what comes out now; None if nothing does."""
    if issue.recipe is None:
        return "made before issues kept their recipe"
    history = _history(service, issue)
    if history.fingerprint != issue.history_sha256:
        return "the history differs: readings that were known then have been added or the series was described anew since"
    model = _model(service, issue, history)
    condition = Condition.of(history, model.forecaster.layout, age_days(history, issue.readings_as_of))
    kept = service.store.forecasts.values(issue)
    previous = None if kept["previous_model_mwh"].isna().all() else _previous(service, issue, model)
    again = make_issue(model, history, condition, issue.leads, previous).frame
    return _first_difference(kept, again[again["lead"].isin(kept["lead"])])


def _first_difference(kept: pd.DataFrame, again: pd.DataFrame) -> str | None:
    if len(kept) != len(again):
        return f"{len(kept)} leads are kept, {len(again)} come out"
    for name in VALUES:
        for lead, was, now in zip(kept["lead"], kept[name], again[name], strict=True):
            absent = [value is None or bool(pd.isna(value)) for value in (was, now)]
            if absent[0] != absent[1] or not (absent[0] or bool(np.asarray(was == now).all())):
                return f"{name} of lead {lead} was {was}, comes out as {now}"
    return None


def _history(service: Service, issue: StoredIssue) -> History:
    assert issue.recipe is not None
    series = _series(service, issue.series_id)
    temperature = series.companion(Quantity.TEMPERATURE)
    recipe = Recipe(datetime.fromisoformat(issue.recipe["since"]), issue.recipe["outlook_days"])
    return history_of(service, series, temperature, issue.readings_as_of, recipe)


def _series(service: Service, series_id: str) -> Series:
    series = service.store.readings.series(series_id)
    if series is None:
        raise StoreError(f"series {series_id} is not stored", "ingest it first")
    return series


def _model(service: Service, issue: StoredIssue, history: History) -> FittedModel:
    if issue.model_version_key is None:
        return weekly_naive(history, issue.leads)
    return _load(service, issue.model_version_key)


def _previous(service: Service, issue: StoredIssue, model: FittedModel) -> FittedModel | None:
    if issue.previous_version_key is None:
        return None
    return model if issue.previous_version_key == issue.model_version_key else _load(service, issue.previous_version_key)


def _load(service: Service, model_version_key: int) -> FittedModel:
    version = service.store.versions.by_key(model_version_key)
    if version is None:
        raise RegistryError(f"model version {model_version_key} is not stored", "see what became of it")
    return Files(service).model(version)
