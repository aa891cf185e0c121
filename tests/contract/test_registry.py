"""MLflow as we use it, on a real store."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from forecasting.artefact import Artefact
from forecasting.errors import RegistryError
from forecasting.registry import Registry, Training
from forecasting.training import Epoch


def training(key: str, weights: bytes = b"weights") -> Training:
    return Training(
        model_name="fortnight-vic-daily",
        experiment="fortnight/vic/daily",
        run_name="a run",
        retrain_key=key,
        artefact=Artefact(weights, b"{}"),
        params={"hidden": 32},
        metrics={"validation_pinball_mwh": 3000.0},
        epochs=[Epoch(1, 2, 0.3, 0.4), Epoch(2, 2, 0.2, 0.3)],
        tags={"series": "vic"},
        figures={"losses.png": Figure()},
    )


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home, None)


def test_several_first_runs_at_once_make_one_database(folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for opened in pool.map(lambda _: Registry(folder, None), range(2)):
            assert opened.champion("nobody") is None
    assert [path.name for path in sorted((folder / "mlflow").iterdir())] == ["mlflow.db", "mlflow.lock"]


def test_a_database_that_was_interrupted_in_the_making_is_made_anew(folder: Path) -> None:
    (folder / "mlflow").mkdir()
    (folder / "mlflow" / "mlflow.new").write_text("half a database")
    assert Registry(folder, None).register(training("k")).version == 1


def test_a_registered_version_comes_back_byte_for_byte(registry: Registry) -> None:
    registered = registry.register(training("k", b"\0\1\2"))
    assert registered.version == 1
    assert registry.fetch(registered.run_id) == Artefact(b"\0\1\2", b"{}")


def test_a_run_holds_losses_parameters_scores_and_pictures(registry: Registry) -> None:
    run_id = registry.register(training("k")).run_id
    run = registry.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"hidden": "32"}
    assert run.data.metrics["validation_pinball_mwh"] == 3000.0
    history = registry.client.get_metric_history(run_id, "loss.validation")
    assert [(point.step, point.value) for point in history] == [(1, 0.4), (2, 0.3)]
    assert {item.path for item in registry.client.list_artifacts(run_id)} == {"model", "losses.png"}


def test_what_an_interrupted_attempt_left_is_replaced(registry: Registry) -> None:
    first = registry.register(training("k"))
    second = registry.register(training("k"))
    other = registry.register(training("other"))
    experiment = registry.client.get_experiment_by_name("fortnight/vic/daily")
    assert experiment is not None
    found = {run.info.run_id for run in registry.client.search_runs([experiment.experiment_id])}
    assert found == {second.run_id, other.run_id}
    assert first.run_id not in found
    versions = {int(version.version) for version in registry.client.search_model_versions("name = 'fortnight-vic-daily'")}
    assert versions == {second.version, other.version}


def test_the_alias_moves(registry: Registry) -> None:
    assert registry.champion("fortnight-vic-daily") is None
    registry.register(training("a"))
    registry.register(training("b"))
    assert registry.champion("fortnight-vic-daily") is None
    for version in (2, 1):
        registry.move_champion("fortnight-vic-daily", version)
        assert registry.champion("fortnight-vic-daily") == version


def test_lost_files_are_named(registry: Registry, folder: Path) -> None:
    run_id = registry.register(training("k")).run_id
    for path in folder.rglob("weights.safetensors"):
        path.unlink()
    with pytest.raises(RegistryError, match=r"weights\.safetensors"):
        registry.fetch(run_id)


def test_a_tracking_server_that_is_down_is_one_line(folder: Path) -> None:
    with pytest.raises(RegistryError, match=r"MLflow at http://127\.0\.0\.1:1: .*; check that it is up"):
        Registry(folder, "http://127.0.0.1:1")
