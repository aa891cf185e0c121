"""Publish: the best forecast that can be made from what is known, made visible whole, and honest about how it came to be."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting import plotting
from forecasting.condition import Condition, age_days, forecast_leads
from forecasting.domain import DAILY, Quantity, Series
from forecasting.errors import HistoryError, RegistryError
from forecasting.folders import private_folder
from forecasting.history import History
from forecasting.issuing import BREAKDOWNS, Issue, make_issue
from forecasting.jobs import Progress, silent
from forecasting.jobs.history import Recipe, known_history
from forecasting.jobs.tiers import Choice, Fault, Files, choices
from forecasting.predicting import FittedModel, published_quantiles
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.forecasts import NewIssue, Predecessor, Tier
from forecasting.store.versions import ModelVersion
from forecasting.training import one_thread

logger = logging.getLogger(__name__)
OLDEST_DAYS = 60
"""With readings older than this no forecast is made: it would be of another season."""
PREDECESSOR_AGE = timedelta(days=21)
"""The least by which the version is older that forecasts are compared with."""
MOST_FILLED = 0.5
"""A model whose inputs are invented by more than this gives way to weekly naive."""


@dataclass(frozen=True)
class PublishReport:
    """What consumers see now. `published` is False where an issue had been made of the same inputs before."""

    series: Series
    issue_id: int
    tier: Tier
    reason: str | None
    version: ModelVersion | None
    origin: datetime
    forecast: pd.DataFrame
    published: bool
    picture: Path

    def __str__(self) -> str:
        who = "weekly naive" if self.version is None else f"{self.version.model_name} version {self.version.version}"
        tier = "" if self.tier == "champion" else f" (tier {self.tier})"
        verb = "published" if self.published else "had been published before"
        why = f"; {self.reason}" if self.reason else ""
        days = f"{len(self.forecast)} days from {self.origin.astimezone(self.series.zone):%F}"
        return f"issue {self.issue_id}: {days} by {who}{tier} {verb}{why}"


@one_thread()
def publish(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> PublishReport:
    """Forecast with the best model that can, from `as_of` two weeks on; the same inputs never make a second issue.

    Late readings make a longer forecast: its first days are those that have passed unread.

    Raises:
        HistoryError: nothing is known, or nothing of the last two months.
        PublishError: not even weekly naive is fit to be seen.
    """
    series = demand_series(given)
    history = known_history(service, given, as_of)
    age = age_days(history, as_of)
    if age > OLDEST_DAYS:
        raise HistoryError(
            f"the newest complete day of series {series.series_id} is {history.days[-1]:%F}, {age} days before the as-of time "
            f"{as_of:%F %H:%M}Z, and a forecast is made from {OLDEST_DAYS} at most",
            f"ingest newer readings, or replay the past with --as-of {history.days[-1] + pd.Timedelta(days=1):%F}",
        )
    progress("publishing", 0, 1)
    report = _first_that_can(service, series, history, as_of, age)
    progress("publishing", 1, 1)
    logger.log(logging.WARNING if report.reason else logging.INFO, "%s: %s", series.series_id, report)
    return report


def _first_that_can(service: Service, series: Series, history: History, as_of: datetime, age: int) -> PublishReport:
    leads, files = service.settings.model.horizon_days + age, Files(service)
    failure: Exception | None = None
    for choice in choices(files, series, history, leads, as_of):
        condition = Condition.of(history, choice.model.forecaster.layout, age)
        refusal = _too_damaged(choice, condition)
        if refusal is not None:
            files.faults.append(refusal)
            continue
        try:
            return _publish(service, series, history, as_of, choice, condition, files)
        except BREAKDOWNS as error:
            logger.warning("%s: %s failed: %s", series.series_id, choice.tier, error)
            told = getattr(error, "problem", None) or f"{type(error).__name__}: {error}"
            files.faults.append(Fault("model", f"{_name(choice)} failed ({told})"))
            failure = error
    assert failure is not None
    raise failure


def _too_damaged(choice: Choice, condition: Condition) -> Fault | None:
    """Why a model is not even asked."""
    if choice.version is None:
        return None
    layout = choice.model.forecaster.layout
    if condition.age_days > layout.horizon_days:
        return Fault("demand", f"the readings are {condition.age_days} days old, models reach {layout.horizon_days}")
    if len(condition.filled) > MOST_FILLED * layout.past_days:
        return Fault("demand", f"{len(condition.filled)} of the {layout.past_days} days that models read are incomplete")
    return None


def _publish(
    service: Service, series: Series, history: History, as_of: datetime, choice: Choice, condition: Condition, files: Files
) -> PublishReport:
    store, version = service.store, choice.version
    late = replace(condition, age_days=age_days(history, as_of - series.publication_delay))
    found = [Fault("demand", late.demand_faults), Fault("weather", late.weather_faults)]
    faults = list(dict.fromkeys([*files.faults, *(fault for fault in found if fault.told)]))
    leads = service.settings.model.horizon_days + condition.age_days
    key, temperature = store.readings.key(series), series.companion(Quantity.TEMPERATURE_FORECAST)
    before = store.forecasts.before(key, DAILY, as_of)
    issue = NewIssue(
        series_key=key,
        resolution=DAILY,
        origin=history.origin,
        inputs_start=history.start_of(-min(choice.model.forecaster.layout.past_days, len(history))),
        readings_as_of=as_of,
        model_version_key=None if version is None else version.model_version_key,
        history_sha256=history.fingerprint,
        inputs_sha256=_inputs(history, choice, condition, leads),
        unit=series.unit,
        leads=leads,
        tier=choice.tier,
        reason="; ".join(fault.told for fault in faults) or None,
        feed_at_fault=faults[0].feed if faults else None,
        age_days=condition.age_days,
        git_sha=service.git_sha,
        recipe=_recipe(Recipe.of(service, series, as_of)),
        weather_issued_at=store.readings.newest_issue(temperature, as_of, history.origin),
        previous_issue_id=None if before is None else before[0],
        plausible_min_mwh=0.0,
        plausible_max_mwh=0.0,
    )
    number = store.forecasts.made_of(key, DAILY, issue.inputs_sha256)
    published = number is None
    if number is None:
        made = make_issue(choice.model, history, condition, leads, _previous(service, files, before, choice))
        number, frame = _store(service, issue, made, _predecessor(service, files, choice, history, as_of)), made.frame
    else:
        frame = store.forecasts.values(store.forecasts.told(number))
    figure = plotting.forecast_picture(history, frame, _caption(choice))
    private_folder(service.settings.home, "pictures")
    picture = plotting.save(figure, service.picture(series, history.origin, number))
    return PublishReport(series, number, choice.tier, issue.reason, version, history.origin, frame, published, picture)


def _store(service: Service, issue: NewIssue, made: Issue, predecessor: Predecessor | None) -> int:
    low, high = made.plausible_mwh
    issue = replace(issue, plausible_min_mwh=low, plausible_max_mwh=high)
    paths = [day.mwh for day in made.paths]
    kept = service.settings.publish.keep_paths_of
    number = service.store.forecasts.publish(made.frame, issue, paths, predecessor, keep_paths_of=kept)
    assert number is not None
    return number


def _predecessor(service: Service, files: Files, choice: Choice, history: History, as_of: datetime) -> Predecessor | None:
    """What the family said some weeks ago, of the leads that are watched; None where nothing can be asked."""
    if choice.version is None:
        return None
    version = service.store.versions.predecessor(choice.version, as_of - PREDECESSOR_AGE)
    if version is None:
        return None
    try:
        forecast = forecast_leads(files.model(version), history, service.settings.drift.leads)
    except BREAKDOWNS as error:  # it is asked for comparison only
        logger.info("the predecessor cannot be asked: %s", error)
        return None
    quantiles = published_quantiles(forecast)[0]
    return Predecessor(version.model_version_key, quantiles) if np.isfinite(quantiles).all() else None


def _previous(service: Service, files: Files, before: tuple[int, int | None] | None, choice: Choice) -> FittedModel | None:
    """The model of the issue before, to tell what a new model changed."""
    if before is None or before[1] is None:
        return None
    if choice.version is not None and choice.version.model_version_key == before[1]:
        return choice.model
    version = service.store.versions.by_key(before[1])
    try:
        return None if version is None else files.model(version)
    except RegistryError as error:
        logger.info("what the new model changed is not told: %s", error)
        return None


def _inputs(history: History, choice: Choice, condition: Condition, leads: int) -> str:
    """All that the numbers of a forecast follow from, as one digest."""
    told = {
        "history": history.fingerprint,
        "model": None if choice.version is None else [choice.version.weights_sha256, choice.version.card_sha256],
        "version": None if choice.version is None else choice.version.model_version_key,
        "condition": asdict(condition),
        "leads": leads,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _recipe(recipe: Recipe) -> dict[str, Any]:
    return {"since": recipe.since.isoformat(), "outlook_days": recipe.outlook_days}


def _name(choice: Choice) -> str:
    return "weekly naive" if choice.version is None else f"version {choice.version.version}"


def _caption(choice: Choice) -> str:
    version = choice.version
    return "weekly naive, no model" if version is None else f"{version.model_name} version {version.version}"
