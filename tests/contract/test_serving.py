"""A registered version as MLflow serves it: over HTTP, and loaded by hand."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow.exceptions import MlflowException

from forecasting.artefact import pack
from forecasting.history import History, clock_history
from forecasting.models import MODELS
from forecasting.predicting import FittedModel, forecast_frame
from forecasting.registry import Registered, Registry, Retraining, Trained
from forecasting.serving import readings_of
from forecasting.training import repeatable
from tests.conftest import CHECKOUT
from tests.contract.test_registry import LEARNT, TAGS
from tests.servers import free_ports
from tests.unit.builders import QUICK, SMALL, make_forecaster, make_layout, untold, validation_origins, weathered

HISTORY = weathered(200, slots=24)
NAME = "fortnight-test-daily"
FAMILIES = tuple(MODELS)
STARTING_S = 90


def fitted(family: str) -> FittedModel:
    with repeatable(0):
        forecaster = make_forecaster(family, make_layout(slots=24))
        forecaster.learn(HISTORY, 144, QUICK, untold)
    return FittedModel.raw(family, forecaster).calibrated(HISTORY, validation_origins(HISTORY))


EXAMPLE = readings_of(HISTORY.since(-60))


def trained(family: str, model: FittedModel) -> Trained:
    artefact = pack(model, MODELS[family].options(SMALL), HISTORY.series, {})
    return Trained(family=family, artefact=artefact, params={}, metrics={}, by_lead={}, epochs=[], figures={})


def told(readings: pd.DataFrame) -> History:
    """The readings as the library itself takes them from the store."""
    starts = pd.to_datetime(readings["interval_start"], utc=True)
    values = [pd.DataFrame({"interval_start": starts, "value": readings[name]}) for name in ("demand_mwh", "temperature_c")]
    return clock_history(values[0], HISTORY.series, values[1])


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if name in ("target_start", "target_end"):
            assert list(pd.to_datetime(found[name], utc=True)) == list(expected[name])
        else:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


@dataclass(frozen=True)
class Registration:
    """A store with a version of every family, and what was fitted."""

    registry: Registry
    models: dict[str, FittedModel]
    found: dict[str, Registered]

    def uri(self, family: str) -> str:
        return f"models:/{NAME}/{self.found[family].version}"


@pytest.fixture(scope="module")
def registration(empty_mlflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Registration:
    home = tmp_path_factory.mktemp("home")
    (home / "mlflow").mkdir()
    shutil.copy(empty_mlflow, home / "mlflow")
    registry, models = Registry(home, None), {family: fitted(family) for family in FAMILIES}
    retraining = Retraining(
        model_name=NAME,
        experiment="fortnight/test/daily",
        run_name="a run",
        retrain_key="k",
        tags=TAGS,
        outcome={},
        learnt=LEARNT,
        example=EXAMPLE,
        params={},
        metrics={},
        figures={},
        models=[trained(family, model) for family, model in models.items()],
    )
    return Registration(registry, models, registry.register(retraining))


@pytest.fixture
def address(registration: Registration) -> Iterator[str]:
    """Where `mlflow models serve` answers for the network with attention."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--host", "127.0.0.1"]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": registration.registry.tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    process = subprocess.Popen(
        [*command, "--port", str(port), "--model-uri", registration.uri("seq2seq_attention")], cwd=CHECKOUT, env=environment
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(10 * STARTING_S):
        assert process.poll() is None, "the server ended"
        try:
            if requests.get(f"{url}/ping", timeout=5).ok:
                break
        except requests.ConnectionError:
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(30)


def test_a_served_version_answers_json_as_the_library_forecasts(registration: Registration, address: str) -> None:
    run_id, model = registration.found["seq2seq_attention"].run_id, registration.models["seq2seq_attention"]
    request = Path(registration.registry.client.download_artifacts(run_id, "model/serving_input_example.json")).read_bytes()
    answer = requests.post(f"{address}/invocations", data=request, headers={"Content-Type": "application/json"}, timeout=60)
    assert answer.status_code == 200, answer.text
    same(pd.DataFrame(answer.json()["predictions"]), forecast_frame(model, told(EXAMPLE)))

    newer = EXAMPLE.iloc[24:-24]
    records = {"dataframe_records": newer.to_dict(orient="records")}
    answer = requests.post(f"{address}/invocations", json=records, timeout=60)
    same(pd.DataFrame(answer.json()["predictions"]), forecast_frame(model, told(newer)))

    few = {"dataframe_records": EXAMPLE.tail(72).to_dict(orient="records")}
    answer = requests.post(f"{address}/invocations", json=few, timeout=60)
    assert answer.status_code == 400
    assert "hold 3 consecutive days" in answer.json()["message"]
    assert "send older readings too" in answer.json()["message"]


def test_every_family_forecasts_from_a_table_what_the_library_does(registration: Registration) -> None:
    mlflow.set_tracking_uri(registration.registry.tracking_uri)
    for family in FAMILIES:
        loaded = mlflow.pyfunc.load_model(registration.uri(family))
        assert list(loaded.input_example) == ["interval_start", "demand_mwh", "temperature_c"]
        expected = forecast_frame(registration.models[family], told(EXAMPLE))
        same(loaded.predict(EXAMPLE), expected)
        moments = EXAMPLE.assign(interval_start=pd.to_datetime(EXAMPLE["interval_start"], utc=True))
        same(loaded.predict(moments), expected)
        same(loaded.predict(loaded.input_example), expected)
        with pytest.raises(MlflowException, match="demand_mwh"):
            loaded.predict(EXAMPLE.drop(columns="demand_mwh"))


def test_nothing_that_could_run_lies_in_a_version(registration: Registration) -> None:
    client = registration.registry.client
    for each in registration.found.values():
        folder = Path(client.download_artifacts(each.run_id, "model"))
        assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".safetensors", ".json", ".txt", ".yaml", ""}
        flavour = mlflow.models.Model.load(str(folder)).flavors["python_function"]
        assert flavour["loader_module"] == "forecasting.registry.flavour"
        assert not {"code", "data", "python_model", "model_code_path"} & set(flavour)
        assert json.loads((folder / "card.json").read_text())["series"]["time_zone"] == HISTORY.series.time_zone
