"""A modeller's word on who is champion: promote a version on evidence, or go back to the champion before."""

import logging
from dataclasses import dataclass
from datetime import datetime

from forecasting import metrics
from forecasting.domain import DAILY
from forecasting.errors import RegistryError
from forecasting.jobs import Progress, silent
from forecasting.jobs.champion import load, reigning
from forecasting.jobs.history import known_history
from forecasting.predicting import Score, score
from forecasting.service import Service, demand_series
from forecasting.settings import SeriesSettings
from forecasting.store.versions import ModelVersion, PromotionKind
from forecasting.training import one_thread
from forecasting.windows import whole_origins

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evidence:
    """A version and the champion, scored from the same recent origins, which neither has learnt from."""

    version: ModelVersion
    champion: ModelVersion | None
    scores: tuple[Score, Score | None]


@one_thread()
def evidence(service: Service, given: SeriesSettings, number: int, as_of: datetime, progress: Progress = silent) -> Evidence:
    """Weigh a version against the champion, both verified.

    Raises:
        RegistryError: no such version of the series, or it was trained with knowledge later than `as_of`, or is champion.
        WeightsError: its files are not the ones that were registered.
    """
    series = demand_series(given)
    name = f"fortnight-{series.series_id}-{DAILY}"
    version = service.store.versions.by_number(name, number)
    if version is None:
        raise RegistryError(f"{name} has no version {number} that fortnight registered", "see them: fortnight models")
    if version.as_of > as_of:
        raise RegistryError(
            f"{name} version {number} was trained at {version.as_of:%F %H:%M}Z, after the as-of time", "leave --as-of out"
        )
    champion = reigning(service, series, DAILY, as_of)
    if champion is not None and champion.version == number:
        raise RegistryError(f"{name} version {number} is champion already", "there is nothing to do")
    history = known_history(service, given, as_of)
    progress("scoring", 0, 2)
    model = load(service, version)
    origins = whole_origins(history, len(history) - service.settings.training.validation_days, model.forecaster.layout.horizon_days)
    if not len(origins):
        raise RegistryError(f"series {series.series_id} has no recent whole windows to score from", "ingest newer readings")
    scale = metrics.seasonal_scale(history.before(int(origins[0])).energy_mwh)
    own = score(model.uncalibrated(), history, origins, scale)
    progress("scoring", 1, 2)
    other = None if champion is None else score(load(service, champion).uncalibrated(), history, origins, scale)
    progress("scoring", 2, 2)
    return Evidence(version, champion, (own, other))


def before(service: Service, given: SeriesSettings, as_of: datetime) -> ModelVersion:
    """The champion that a rollback would go back to.

    Raises:
        RegistryError: there is none.
    """
    series = demand_series(given)
    champion = reigning(service, series, DAILY, as_of)
    found = None if champion is None else service.store.versions.champion_before(champion, as_of)
    if found is None:
        who = "no champion" if champion is None else f"no champion before version {champion.version}"
        raise RegistryError(
            f"series {series.series_id} has {who}",
            f"promote a version by its number: fortnight promote --series {series.series_id} --version N --reason TEXT",
        )
    return found


def promote(service: Service, version: ModelVersion, kind: PromotionKind, as_of: datetime, reason: str) -> None:
    """Make a version champion: on record in Postgres and under the MLflow alias, both or neither.

    It stands until a later election, and the next publish forecasts with it.
    """
    with service.store.transaction():
        service.store.versions.promote(version, kind, as_of, reason)
        told = f"{kind}: {reason}"
        service.registry.describe(version.model_name, version.version, version.mlflow_run_id, told, champion=True)
        service.registry.move_champion(version.model_name, version.version)
    logger.info("%s version %d (%s) is champion: %s, %s", version.model_name, version.version, version.family, kind, reason)
