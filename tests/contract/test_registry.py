"""MLflow as we use it, on a real store."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow.entities import Run

from forecasting.artefact import Artefact
from forecasting.errors import RegistryError
from forecasting.models.base import Epoch
from forecasting.registry import RETRAIN, Learnt, Registry, Retraining, Trained

FAMILIES = ("weekly_naive", "seq2seq_attention")
TAGS = {
    "series": "vic",
    "resolution": "daily",
    "information": "P",
    "as_of": "2014-01-01T00:00:00+00:00",
    "git_sha": "0" * 40,
}
LEARNT = Learnt("vic readings", "ab" * 32, "SELECT 1", {"interval_start": "datetime", "value": "double"}, {"days": 700})


def trained(family: str, weights: bytes) -> Trained:
    return Trained(
        family=family,
        artefact=Artefact(weights, b"{}"),
        params={"hidden": 32},
        metrics={"validation_pinball_mwh": 3000.0},
        by_lead={"validation_mape_by_lead": [2.0, 3.0, 5.0]},
        epochs=[Epoch(1, 2, 0.3, 0.4), Epoch(2, 2, 0.2, 0.3)],
        figures={"losses.png": Figure()},
    )


def retraining(key: str, weights: bytes = b"weights") -> Retraining:
    return Retraining(
        model_name="fortnight-vic-daily",
        experiment="fortnight/vic/daily",
        run_name="a run",
        retrain_key=key,
        tags=dict(TAGS),
        outcome={"kind": RETRAIN, "champion_family": "seq2seq_attention"},
        learnt=LEARNT,
        example=pd.DataFrame({"interval_start": ["2014-01-01T00:00:00Z"], "demand_mwh": [0.1]}),
        params={"days": 700},
        metrics={"pinball_mwh.weekly_naive": 5000.0},
        figures={"contender.png": Figure()},
        models=[trained(family, weights) for family in FAMILIES],
    )


def runs_of(registry: Registry, wanted: str = "") -> list[Run]:
    experiment = registry.client.get_experiment_by_name("fortnight/vic/daily")
    assert experiment is not None
    return list(registry.client.search_runs([experiment.experiment_id], wanted))


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
    assert {each.version for each in Registry(folder, None).register(retraining("k")).values()} == {1, 2}


def test_registered_versions_come_back_byte_for_byte(registry: Registry) -> None:
    registered = registry.register(retraining("k", b"\0\1\2"))
    assert list(registered) == list(FAMILIES)
    assert sorted(each.version for each in registered.values()) == [1, 2]
    for each in registered.values():
        assert registry.fetch(each.run_id) == Artefact(b"\0\1\2", b"{}")


def test_a_models_run_holds_losses_parameters_scores_and_pictures(registry: Registry) -> None:
    run_id = registry.register(retraining("k"))["seq2seq_attention"].run_id
    run = registry.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"hidden": "32"}
    assert run.data.metrics["validation_pinball_mwh"] == 3000.0
    assert (run.data.tags["series"], run.data.tags["family"]) == ("vic", "seq2seq_attention")
    history = registry.client.get_metric_history(run_id, "loss.validation")
    assert [(point.step, point.value) for point in history] == [(1, 0.4), (2, 0.3)]
    assert {item.path for item in registry.client.list_artifacts(run_id)} == {"model", "losses.png"}


def test_a_models_run_has_a_point_for_each_epoch_and_each_lead_day(registry: Registry) -> None:
    model = replace(trained("weekly_naive", b""), epochs=[Epoch(number, 1200, 0.1, 0.2) for number in range(1, 1201)])
    run_id = registry.register(replace(retraining("k"), models=[model]))["weekly_naive"].run_id
    history = registry.client.get_metric_history(run_id, "validation_mape_by_lead")
    assert [(point.step, point.value) for point in history] == [(1, 2.0), (2, 3.0), (3, 5.0)]
    assert len(registry.client.get_metric_history(run_id, "loss.train")) == 1200, "more than MLflow takes at once"


def test_runs_and_versions_are_found_by_their_tags(registry: Registry) -> None:
    registered = registry.register(retraining("k"))
    for name, value in TAGS.items():
        assert len(runs_of(registry, f"tags.{name} = '{value}'")) == 3, "a parent and two models"
        assert len(registry.client.search_model_versions(f"tags.{name} = '{value}'")) == 2
        assert runs_of(registry, f"tags.{name} = 'another'") == []
    (run,) = runs_of(registry, "tags.family = 'weekly_naive'")
    (version,) = registry.client.search_model_versions("tags.family = 'weekly_naive'")
    assert run.info.run_id == version.run_id == registered["weekly_naive"].run_id
    (parent,) = runs_of(registry, "tags.champion_family = 'seq2seq_attention'")
    assert parent.info.run_id not in {each.run_id for each in registered.values()}


def test_every_run_names_the_readings_it_learnt_from(registry: Registry) -> None:
    registry.register(retraining("k"))
    for run in runs_of(registry):
        (found,) = run.inputs.dataset_inputs
        assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]
        assert (found.dataset.name, found.dataset.digest) == ("vic readings", "ab" * 18)
        assert json.loads(found.dataset.source) == {"sql": "SELECT 1"}
        assert [each["name"] for each in json.loads(found.dataset.schema)["mlflow_colspec"]] == ["interval_start", "value"]
        assert json.loads(found.dataset.profile) == {"days": 700}


def test_an_election_marks_its_winner_for_good(registry: Registry) -> None:
    name = "fortnight-vic-daily"
    first, second = (registry.register(retraining(key))["weekly_naive"] for key in "ab")
    registry.describe(name, first.version, first.run_id, "promoted: better", champion=True)
    registry.describe(name, second.version, second.run_id, "kept the champion", champion=False)
    (run,) = runs_of(registry, "tags.champion = 'true'")
    assert (run.info.run_id, run.data.tags["fortnight.election"]) == (first.run_id, "promoted: better")
    (version,) = registry.client.search_model_versions("tags.champion = 'true'")
    assert (int(version.version), version.description) == (first.version, "promoted: better")
    assert registry.client.get_model_version(name, str(second.version)).description == "kept the champion"


def test_the_runs_of_a_retrain_lie_below_its_own(registry: Registry) -> None:
    registered = registry.register(retraining("k"))
    runs = {run.info.run_id: run for run in runs_of(registry)}
    (parent,) = set(runs) - {each.run_id for each in registered.values()}
    for each in registered.values():
        assert runs[each.run_id].data.tags["mlflow.parentRunId"] == parent
    assert runs[parent].info.status == "FINISHED"
    assert runs[parent].data.params == {"days": "700"}
    assert runs[parent].data.metrics == {"pinball_mwh.weekly_naive": 5000.0}
    assert [item.path for item in registry.client.list_artifacts(parent)] == ["contender.png"]


def test_what_an_interrupted_attempt_left_is_replaced(registry: Registry) -> None:
    first = registry.register(retraining("k"))
    second = registry.register(retraining("k"))
    other = registry.register(retraining("other"))
    found = {run.info.run_id for run in runs_of(registry)}
    kept = {each.run_id for registered in (second, other) for each in registered.values()}
    assert kept < found
    assert len(found) == len(kept) + 2, "and a parent each"
    assert not found & {each.run_id for each in first.values()}
    versions = {int(version.version) for version in registry.client.search_model_versions("name = 'fortnight-vic-daily'")}
    assert versions == {each.version for registered in (second, other) for each in registered.values()}


def test_the_page_of_the_champions_shows_the_parent_runs(registry: Registry) -> None:
    assert registry.champions_pages("http://127.0.0.1:5000") == {}
    registry.register(retraining("k"))
    ((name, page),) = registry.champions_pages("http://127.0.0.1:5000").items()
    address, query = page.split("?")
    found = registry.client.get_experiment_by_name(name)
    assert found is not None
    assert address == f"http://127.0.0.1:5000/#/experiments/{found.experiment_id}/runs"
    wanted = parse_qs(query)
    assert wanted["compareRunsMode"] == ["CHART"]
    (parent,) = runs_of(registry, wanted["searchFilter"][0])
    assert "mlflow.parentRunId" not in parent.data.tags


def test_the_alias_moves(registry: Registry) -> None:
    assert registry.champion("fortnight-vic-daily") is None
    registry.register(retraining("a"))
    registry.register(retraining("b"))
    assert registry.champion("fortnight-vic-daily") is None
    for version in (2, 1):
        registry.move_champion("fortnight-vic-daily", version)
        assert registry.champion("fortnight-vic-daily") == version


def test_lost_files_are_named(registry: Registry, folder: Path) -> None:
    run_id = registry.register(retraining("k"))["weekly_naive"].run_id
    for path in folder.rglob("weights.safetensors"):
        path.unlink()
    with pytest.raises(RegistryError, match=r"weights\.safetensors"):
        registry.fetch(run_id)


def test_a_tracking_server_that_is_down_is_one_line(folder: Path) -> None:
    with pytest.raises(RegistryError, match=r"MLflow at http://127\.0\.0\.1:1: .*; check that it is up"):
        Registry(folder, "http://127.0.0.1:1")
