"""What a retrain leaves for modellers in MLflow, on real readings."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run

from forecasting.domain import parse_moment
from forecasting.jobs.champion import load
from forecasting.jobs.history import known_history
from forecasting.jobs.ingest import ingest
from forecasting.jobs.promote import promote
from forecasting.jobs.retrain import retrain
from forecasting.predicting import forecast_frame
from forecasting.service import Service, choose_series, demand_series, open_service
from forecasting.serving import readings_of
from forecasting.settings import SeriesSettings, load_settings
from forecasting.store import embedded
from forecasting.store.versions import ModelVersion

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PICTURES = {"validation.png", "error_by_lead.png", "calibration.png", "residuals_by_temperature.png"}
TAGS = {"series": "vic", "resolution": "daily", "information": "P", "git_sha": "0" * 40}


@dataclass(frozen=True)
class Retrained:
    """A service after one retrain."""

    service: Service
    given: SeriesSettings
    as_of: datetime
    contender: ModelVersion

    def runs(self, wanted: str) -> list[Run]:
        client = self.service.registry.client
        experiment = client.get_experiment_by_name("fortnight/vic/daily")
        assert experiment is not None
        return list(client.search_runs([experiment.experiment_id], wanted))

    def artefacts(self, run: Run) -> set[str]:
        return {item.path for item in self.service.registry.client.list_artifacts(run.info.run_id)}


@pytest.fixture(scope="module")
def retrained(empty_mlflow: Path, vic_csv: Path) -> Iterator[Retrained]:
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    (home / "mlflow").mkdir()
    shutil.copy(empty_mlflow, home / "mlflow")
    candidates = ("weekly_naive", "seq2seq_attention")
    settings = load_settings(home=home, training={"epochs": 2}, model={"candidates": candidates}, git_sha="0" * 40)
    with open_service(settings, NOW) as service:
        given = choose_series(settings, path=vic_csv)[0]
        as_of = parse_moment("2014-01-01", demand_series(given).zone)
        ingest(service, given, as_of)
        yield Retrained(service, given, as_of, retrain(service, given, as_of).version)
    embedded.stop(home)
    shutil.rmtree(home)


def test_a_modeller_finds_scores_by_lead_pictures_and_the_readings(retrained: Retrained) -> None:
    client = retrained.service.registry.client
    for family, more in (("weekly_naive", set()), ("seq2seq_attention", {"losses.png", "attention.png"})):
        (run,) = retrained.runs(f"tags.family = '{family}'")
        points = client.get_metric_history(run.info.run_id, "validation_pinball_mwh_by_lead")
        assert [point.step for point in points] == list(range(1, 15))
        assert np.mean([point.value for point in points]) == pytest.approx(run.data.metrics["validation_pinball_mwh"])
        mape = client.get_metric_history(run.info.run_id, "validation_mape_by_lead")
        assert np.mean([point.value for point in mape]) == pytest.approx(run.data.metrics["validation_mape_percent"])
        assert retrained.artefacts(run) == PICTURES | more | {"model"}
        (learnt,) = run.inputs.dataset_inputs
        rows = retrained.service.store.connection.execute(json.loads(learnt.dataset.source)["sql"]).fetchall()
        assert len(rows) == json.loads(learnt.dataset.profile)["num_rows"]
        assert run.data.params["past_steps"] == str(retrained.service.settings.model.past_days)


def test_the_parent_run_tells_how_the_champion_does(retrained: Retrained) -> None:
    (parent,) = retrained.runs("tags.kind = 'retrain'")
    (champion,) = retrained.runs(f"tags.champion = 'true' AND tags.family = '{retrained.contender.family}'")
    assert champion.info.run_id == retrained.contender.mlflow_run_id
    assert champion.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.data.tags["champion_family"] == champion.data.tags["family"] == retrained.contender.family
    assert parent.data.tags["fortnight.election"] == retrained.contender.reason
    for name in ("pinball_mwh", "skill", "mape_percent", "coverage_80"):
        assert parent.data.metrics[f"champion/{name}"] == champion.data.metrics[f"validation_{name}"]
    assert {"pinball_mwh/weekly_naive", "pinball_mwh/seq2seq_attention"} <= set(parent.data.metrics)
    assert retrained.artefacts(parent) == {"contender.png", "error_by_lead.png", "calibration.png"}
    for name, value in {**TAGS, "as_of": retrained.as_of.isoformat()}.items():
        assert len(retrained.runs(f"tags.{name} = '{value}'")) == 3


def test_a_promotion_by_hand_is_marked_too(retrained: Retrained) -> None:
    contender = retrained.contender
    other = retrained.service.store.versions.by_number(contender.model_name, 3 - contender.version)
    assert other is not None
    promote(retrained.service, other, "by hand", retrained.as_of, "a try")
    marked = {run.info.run_id: run.data.tags["fortnight.election"] for run in retrained.runs("tags.champion = 'true'")}
    assert marked == {contender.mlflow_run_id: contender.reason, other.mlflow_run_id: "by hand: a try"}


def test_a_version_loaded_through_mlflow_forecasts_what_the_service_publishes(retrained: Retrained) -> None:
    service, version = retrained.service, retrained.contender
    history = known_history(service, retrained.given, retrained.as_of)
    mlflow.set_tracking_uri(service.registry.tracking_uri)
    loaded = mlflow.pyfunc.load_model(f"models:/{version.model_name}/{version.version}")
    expected = forecast_frame(load(service, version), history)
    found = loaded.predict(readings_of(history))
    for name in ("lead", "target_start", "target_end"):
        assert list(found[name]) == list(expected[name])
    for name in expected.columns[3:]:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert len(loaded.input_example) == retrained.service.settings.model.past_days * 48, "what the longest-sighted candidate reads"
