"""Who forecasts: the champion, or the last good model before it, or weekly naive; and what stood in the way of a better one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from forecasting.artefact import Artefact, unpack
from forecasting.domain import DAILY, Series
from forecasting.errors import FortnightError, RegistryError
from forecasting.history import History
from forecasting.issuing import weekly_naive
from forecasting.jobs.champion import reigning
from forecasting.predicting import FittedModel
from forecasting.service import Service
from forecasting.store.forecasts import Tier
from forecasting.store.versions import ModelVersion

EARLIER = 3
"""Champions of before that are tried."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is at fault (demand, weather, registry or model), and the story."""

    feed: str
    told: str


@dataclass(frozen=True)
class Choice:
    """A model that could forecast; `version` is None for weekly naive made on the spot."""

    tier: Tier
    version: ModelVersion | None
    model: FittedModel


@dataclass
class Files:
    """The way to models' files. MLflow is asked until it once does not answer, then what Postgres keeps of champions is used."""

    service: Service
    down: FortnightError | None = None
    faults: list[Fault] = field(default_factory=list)

    def model(self, version: ModelVersion, *, keep: bool = False) -> FittedModel:
        """A verified model.

        Args:
            keep: a copy of its files in Postgres.

        Raises:
            RegistryError: its files cannot be had, or are not the ones that were registered.
        """
        versions = self.service.store.versions
        if self.down is None:
            try:
                artefact = self.service.registry.fetch(version.mlflow_run_id)
                model = unpack(artefact, version.weights_sha256, version.card_sha256)
            except RegistryError as error:
                failure = error
            else:
                if keep:
                    versions.keep_files(version, artefact.weights, artefact.card)
                return model
        kept = versions.files(version)
        if kept is None:
            raise (self.down or failure)
        model = unpack(Artefact(*kept), version.weights_sha256, version.card_sha256)
        if self.down is None:
            self.faults.append(Fault("registry", f"{failure.problem}: the copy of version {version.version} in Postgres is used"))
        return model

    def champion(self, series: Series, as_of: datetime) -> ModelVersion | None:
        """Who is in charge; while MLflow does not answer, whom Postgres knows."""
        try:
            return reigning(self.service, series, DAILY, as_of)
        except RegistryError as error:
            self.down = error
            self.faults.append(Fault("registry", f"{error.problem}: models come from the copies in Postgres"))
            return self.service.store.versions.champion(self.service.store.readings.key(series), DAILY, as_of)


def choices(files: Files, series: Series, history: History, leads: int, as_of: datetime) -> Iterator[Choice]:
    """Best first, each made only when asked for; why one is left out is added to the faults of `files`."""
    service = files.service
    champion = files.champion(series, as_of)
    tried: set[int] = set()
    if champion is None:
        files.faults.append(Fault("model", "there is no champion yet"))
    else:
        earlier = service.store.versions.champions(champion.series_key, DAILY, as_of, EARLIER + 1)
        for version in [champion, *earlier]:
            if version.model_version_key in tried or len(tried) > EARLIER:
                continue
            tried.add(version.model_version_key)
            tier: Tier = "champion" if version == champion else "last_good"
            try:
                model = files.model(version, keep=tier == "champion")
            except RegistryError as error:
                files.faults.append(Fault("model", f"version {version.version} cannot be used ({error.problem})"))
                continue
            yield Choice(tier, version, model)
    yield Choice("weekly_naive", None, weekly_naive(history, leads))
