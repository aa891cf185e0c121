"""MLflow: runs, registered versions and the champion alias. The only package that imports mlflow.

Production never loads what MLflow could be made to run: a version is two plain files, checked against digests kept in Postgres.
What lies beside them (`flavour`) is for the UI and `mlflow models serve`.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode, urlsplit

from filelock import FileLock

from forecasting.artefact import CARD, REMEDY, WEIGHTS, Artefact
from forecasting.errors import RegistryError
from forecasting.folders import private_folder

# A tracking server that is down must not hold a run up for minutes; and nothing is reported to anybody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # an address at every run, in logs of services

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from forecasting.registry import flavour
from forecasting.registry.told import Learnt, Registered, Retraining, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it logs with a traceback, it raises too

__all__ = ["CHAMPION", "RETRAIN", "Learnt", "Registered", "Registry", "Retraining", "Trained"]

CHAMPION = "champion"
RETRAIN = "retrain"
"""The `kind` of the parent runs: one for each day on which something new was learnt."""
FOLDER = "model"
KEY_TAG = "fortnight.retrain_key"
LARGEST_FILE_BYTES = 2**28
"""A hundred times the weights of any family."""
BATCH = 1000
"""MLflow takes no more metrics at once."""
DIGEST = 36
"""Nor a longer digest of a dataset."""


class Registry:
    """A tracking server, or a SQLite file and a folder of artefacts in the state folder."""

    def __init__(self, home: Path, tracking_uri: str | None) -> None:
        self.local = home / "mlflow"
        self.tracking_uri = _without_password(tracking_uri) if tracking_uri else f"sqlite:///{self.local / 'mlflow.db'}"
        self.is_local = tracking_uri is None
        with _explained(self.tracking_uri):
            if self.is_local:
                private_folder(home, "mlflow")
                _create_database(self.local / "mlflow.db")
            self.client = _connected(self.tracking_uri)

    def describe_server(self) -> tuple[str, list[str]]:
        """Where it is and how many registered models it holds; and their names.

        Raises:
            RegistryError: it does not answer.
        """
        with _explained(self.tracking_uri):
            models = [model.name for model in self.client.search_registered_models(max_results=1000)]
        where = "in the state folder" if self.is_local else self.tracking_uri.rsplit("@", 1)[-1]
        return f"{where}, {len(models)} registered models", models

    def register(self, retraining: Retraining) -> dict[str, Registered]:
        """Log a finished retrain and register its models as new versions, by family.

        Whatever an earlier, interrupted attempt at the same retrain left is removed first: a retrain leaves one parent run, or
        none.
        """
        with _explained(self.tracking_uri):
            experiment_id = self._experiment(retraining.experiment)
            self._discard(experiment_id, retraining.model_name, retraining.retrain_key)
            self._ensure_model(retraining.model_name)
            tags = {**retraining.tags, KEY_TAG: retraining.retrain_key}
            parent = self.client.create_run(experiment_id, tags={**tags, **retraining.outcome}, run_name=retraining.run_name)
            found = {
                each.family: self._register(retraining, each, experiment_id, parent.info.run_id, tags) for each in retraining.models
            }
            self._log(parent, retraining.params, retraining.metrics, retraining.figures, retraining.learnt)
            self.client.set_terminated(parent.info.run_id)
        return found

    def _register(
        self, retraining: Retraining, model: Trained, experiment_id: str, parent_id: str, tags: Mapping[str, str]
    ) -> Registered:
        own = {**tags, "family": model.family, "mlflow.parentRunId": parent_id}
        run = self.client.create_run(experiment_id, tags=own, run_name=f"{retraining.run_name} {model.family}")
        points = [
            Metric(f"loss.{name}", value, run.info.start_time, epoch.number)
            for epoch in model.epochs
            for name, value in (("train", epoch.train), ("validation", epoch.validation))
        ]
        points += [
            Metric(name, value, run.info.start_time, lead)
            for name, values in model.by_lead.items()
            for lead, value in enumerate(values, start=1)
        ]
        self._log(run, model.params, model.metrics, model.figures, retraining.learnt, points)
        with tempfile.TemporaryDirectory() as folder:
            flavour.write(Path(folder), run.info.run_id, FOLDER, model.artefact, retraining.example)
            self.client.log_artifacts(run.info.run_id, folder, FOLDER)
        source = f"{run.info.artifact_uri}/{FOLDER}"
        shown = {**retraining.tags, "family": model.family, KEY_TAG: retraining.retrain_key}
        version = self.client.create_model_version(retraining.model_name, source, run.info.run_id, tags=shown)
        self.client.set_terminated(run.info.run_id)
        return Registered(run.info.run_id, int(version.version))

    def _log(
        self,
        run: Run,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        figures: Mapping[str, "Figure"],
        learnt: Learnt,
        points: Sequence[Metric] = (),
    ) -> None:
        finals = [Metric(name, value, run.info.start_time, 0) for name, value in metrics.items()]
        told = [Param(name, str(value)) for name, value in params.items()]
        self.client.log_batch(run.info.run_id, metrics=finals, params=told)
        for begin in range(0, len(points), BATCH):
            self.client.log_batch(run.info.run_id, metrics=points[begin : begin + BATCH])
        self.client.log_inputs(run.info.run_id, [_dataset(learnt)])
        for name, figure in figures.items():
            self.client.log_figure(run.info.run_id, figure, name)

    def describe(self, model_name: str, version: int, run_id: str, election: str, *, champion: bool) -> None:
        """Write the outcome of an election where a modeller will look for it; who wins is marked as champion for good, so that the
        champions of any time can be compared."""
        told = {"fortnight.election": election, "mlflow.note.content": election, **({CHAMPION: "true"} if champion else {})}
        with _explained(self.tracking_uri):
            self.client.update_model_version(model_name, str(version), election)
            self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in told.items()])
            if champion:
                self.client.set_model_version_tag(model_name, str(version), CHAMPION, "true")

    def champion(self, model_name: str) -> int | None:
        """The version that the champion alias names; None where there is none."""
        with _explained(self.tracking_uri):
            try:
                return int(self.client.get_model_version_by_alias(model_name, CHAMPION).version)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def move_champion(self, model_name: str, version: int) -> None:
        """Point the champion alias at a version."""
        with _explained(self.tracking_uri):
            self.client.set_registered_model_alias(model_name, CHAMPION, str(version))

    def fetch(self, run_id: str) -> Artefact:
        """The two files of the version that a run made; unchecked.

        Raises:
            RegistryError: MLflow does not answer, or the files are gone.
        """
        with _explained(self.tracking_uri), tempfile.TemporaryDirectory() as folder:
            paths = [Path(self.client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)) for name in (WEIGHTS, CARD)]
            if max(path.stat().st_size for path in paths) > LARGEST_FILE_BYTES:
                raise RegistryError(f"the model files of run {run_id} are far too large", REMEDY)
            weights, card = (path.read_bytes() for path in paths)
        return Artefact(weights, card)

    def champions_pages(self, address: str) -> dict[str, str]:
        """Pages of the UI at an address, by experiment: how the champions of the retrains did, newest first, as charts."""
        wanted = urlencode({"searchFilter": f"tags.kind = '{RETRAIN}'", "compareRunsMode": "CHART"}, quote_via=quote)
        with _explained(self.tracking_uri):
            found = self.client.search_experiments(filter_string="name LIKE 'fortnight/%'", order_by=["name"])
        return {each.name: f"{address}/#/experiments/{each.experiment_id}/runs?{wanted}" for each in found}

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = (self.local / "artifacts" / name.replace("/", "-")).as_uri() if self.is_local else None
        try:
            return str(self.client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self._experiment(name)

    def _ensure_model(self, name: str) -> None:
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _discard(self, experiment_id: str, model_name: str, retrain_key: str) -> None:
        wanted = f"tags.`{KEY_TAG}` = '{retrain_key}'"
        for version in self.client.search_model_versions(f"name = '{model_name}' AND {wanted}"):
            self.client.delete_model_version(model_name, version.version)
        for run in self.client.search_runs([experiment_id], wanted):
            self.client.delete_run(run.info.run_id)


def _dataset(learnt: Learnt) -> DatasetInput:
    schema = {"mlflow_colspec": [{"name": name, "type": kind, "required": True} for name, kind in learnt.columns.items()]}
    dataset = Dataset(
        name=learnt.name,
        digest=learnt.digest[:DIGEST],
        source_type="postgres",
        source=json.dumps({"sql": learnt.query}),
        schema=json.dumps(schema),
        profile=json.dumps(learnt.profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _without_password(tracking_uri: str) -> str:
    """The address alone. MLflow prints it, logs it and puts it into its errors, so the password goes by the environment."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return tracking_uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _connected(tracking_uri: str) -> MlflowClient:
    """A client whose server, or file, has answered once."""
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    client.search_experiments(max_results=1)
    return client


def _create_database(path: Path) -> None:
    """Let MLflow make its tables in a draft, then rename it: killed meanwhile, it could not finish them the next time."""
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            _connected(f"sqlite:///{draft}")
            draft.rename(path)


@contextmanager
def _explained(tracking_uri: str) -> Iterator[None]:
    """MLflow's own faults, as one line."""
    try:
        yield
    except (MlflowException, OSError) as error:
        where = tracking_uri.rsplit("@", 1)[-1]
        raise RegistryError(
            f"MLflow at {where}: {_in_words(error)}",
            "check that it is up, and FORTNIGHT_MLFLOW_TRACKING_URI",
        ) from error


def _in_words(error: Exception) -> str:
    """The line that says it, without SQLAlchemy's hint above it and the story of the HTTP client."""
    told = next((line for line in str(error).splitlines() if not line.startswith("(raised as a result")), type(error).__name__)
    return "it does not answer" if "Max retries exceeded" in told else told
