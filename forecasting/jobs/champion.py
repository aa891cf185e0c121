"""Which version is in charge at a moment, and its verified model."""

from datetime import datetime

from forecasting.artefact import unpack
from forecasting.domain import Resolution, Series
from forecasting.errors import RegistryError
from forecasting.predicting import FittedModel
from forecasting.service import Service
from forecasting.store.versions import ModelVersion


def reigning(service: Service, series: Series, resolution: Resolution, as_of: datetime) -> ModelVersion | None:
    """The champion at `as_of`: where MLflow's alias points, since a modeller may have moved it.

    A replayed past has its own champion: an alias on a version that was trained with later knowledge does not count there, and
    the last version promoted by then does.
    """
    key = service.store.readings.key(series)
    elected = service.store.versions.champion(key, resolution, as_of)
    if elected is None:
        return None
    number = service.registry.champion(elected.model_name)
    if number is None:
        return elected
    pointed = service.store.versions.by_number(elected.model_name, number)
    if pointed is None:
        raise RegistryError(
            f"alias champion of {elected.model_name} points at version {number}, which fortnight did not register",
            f"move it to a version of ours, such as {elected.version}",
        )
    return pointed if pointed.as_of <= as_of else elected


def load(service: Service, version: ModelVersion) -> FittedModel:
    """The model of a version, its files checked against the digests in Postgres.

    Raises:
        RegistryError: MLflow does not answer or has lost the files.
        WeightsError: they are not the ones that were registered.
    """
    artefact = service.registry.fetch(version.mlflow_run_id)
    return unpack(artefact, version.weights_sha256, version.card_sha256)
