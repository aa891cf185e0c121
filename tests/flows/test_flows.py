"""The flows on a real Prefect server: what ends how, and what is left behind."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forecasting.settings import Settings
from forecasting.store import NewRun, Store

if TYPE_CHECKING:  # at its first import Prefect reads an environment that the fixtures have to set before
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

AS_OF = "2024-03-01"
pytestmark = pytest.mark.usefixtures("prefect_server", "environment")


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the flows find in the environment: the test's database, its state folder, and quick training."""
    assert settings.database_url is not None
    monkeypatch.setenv("FORTNIGHT_HOME", str(settings.home))
    monkeypatch.setenv("FORTNIGHT_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("FORTNIGHT_TRAINING__EPOCHS", "2")
    monkeypatch.setenv("FORTNIGHT_MODEL__CANDIDATES", json.dumps(settings.model.candidates))
    monkeypatch.setenv("FORTNIGHT_INGEST__HISTORY_DAYS", "200")


def count(store: Store, table: str) -> int:
    row = store.connection.execute(f"SELECT count(*) FROM fortnight.{table}").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_daily_twice_makes_one_forecast_and_one_version_of_each_candidate(store: Store) -> None:
    from flows.daily import daily

    for _ in range(2):
        state = daily(source="simulated", as_of=AS_OF, return_state=True)
        assert state.is_completed(), state.message
    assert (count(store, "forecast_issue"), count(store, "model_version")) == (1, 2)
    rows = store.forecasts.latest("simulated", "daily")
    assert len(rows) == 14
    assert f"{rows[0].readings_as_of:%F %H:%M}" == "2024-02-29 13:00"


@pytest.mark.costly
def test_steps_by_themselves_end_where_daily_does(store: Store) -> None:
    from flows.daily import FLOWS

    for name in ("ingest", "retrain", "publish", "watch"):
        state = FLOWS[name](series=["simulated"], as_of=AS_OF, return_state=True)
        assert state.is_completed(), state.message
    assert len(store.forecasts.latest("simulated", "daily")) == 14


def test_a_series_that_fails_does_not_harm_another_and_its_message_is_the_flows(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.daily import daily

    config = folder / "two.toml"
    config.write_text(
        f"""
        [[series]]
        id = "broken"
        name = "A feed that is gone"
        region = "AU-VIC"
        time_zone = "Australia/Melbourne"
        source = "csv"
        options = {{ path = "{folder / "gone.csv"}" }}

        [[series]]
        id = "simulated-a"
        name = "Simulated"
        region = "DE"
        time_zone = "Europe/Berlin"
        source = "simulated"
        """
    )
    monkeypatch.setenv("FORTNIGHT_CONFIG", str(config))
    state = daily(as_of=AS_OF, return_state=True)
    assert state.is_failed()
    assert state.name == "SourceError"
    assert "gone.csv" in str(state.message)
    assert len(store.forecasts.latest("simulated-a", "daily")) == 14
    assert store.readings.stored_ids() == ["simulated-a"]


def test_the_loser_of_two_runs_says_so_and_does_nothing(store: Store) -> None:
    from flows.daily import daily

    with store.hold("simulated"):
        state = daily(source="simulated", as_of=AS_OF, return_state=True)
    assert state.is_completed()
    assert state.name == "AlreadyRunning"
    assert "already running" in str(state.message)
    assert count(store, "reading") == 0


def test_a_failed_retrain_does_not_keep_the_old_champion_from_publishing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.daily import daily

    assert daily(source="simulated", as_of=AS_OF, return_state=True).is_completed()
    champion = store.forecasts.latest("simulated", "daily")[0].model_version
    monkeypatch.setenv("FORTNIGHT_TRAINING__VALIDATION_DAYS", "190")
    state = daily(source="simulated", as_of="2024-03-02", return_state=True)
    assert state.name == "HistoryError", "too little history left to train on"
    rows = store.forecasts.latest("simulated", "daily")
    assert (f"{rows[0].readings_as_of:%F}", rows[0].model_version) == ("2024-03-01", champion)


def test_what_was_never_ingested_cannot_be_published(store: Store) -> None:
    from flows.daily import publish

    state = publish(series=["simulated"], as_of=AS_OF, return_state=True)
    assert state.name == "SettingsError"
    assert "never been ingested" in str(state.message)
    assert count(store, "forecast_issue") == 0


@pytest.fixture
def client() -> "Iterator[SyncPrefectClient]":
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as opened:
        yield opened


def scheduled_for(client: "SyncPrefectClient", moment: datetime) -> "FlowRun":
    """A run that Prefect had planned for some time ago."""
    from prefect.states import Scheduled

    from flows.daily import daily

    return client.create_flow_run(daily, parameters={"source": "simulated"}, state=Scheduled(scheduled_time=moment))


def test_of_late_runs_the_first_does_all_and_the_others_find_nothing_to_do(store: Store, client: "SyncPrefectClient") -> None:
    from prefect.flow_engine import run_flow

    from flows.daily import daily

    late = [scheduled_for(client, datetime.now(UTC) - timedelta(days=days)) for days in (3, 2, 1)]
    states = [run_flow(daily, flow_run=run, parameters={"source": "simulated"}, return_type="state") for run in late]
    assert [state.is_completed() for state in states] == [True] * 3
    assert [state.message for state in states] == ["1 series done"] + ["nothing to do: all series are done"] * 2
    assert (count(store, "forecast_issue"), count(store, "run"), count(store, "run_step")) == (1, 3, 4)
    jobs = store.connection.execute("SELECT job, outcome, started_by FROM published.run ORDER BY started_at").fetchall()
    assert jobs == [(job, "done", "flow") for job in ("ingest", "retrain", "publish", "watch")]


def test_runs_that_prefect_lost_sight_of_are_ended(store: Store, client: "SyncPrefectClient") -> None:
    """One died in the middle, one never began to work, one works still; and one is somebody else's."""
    from prefect.states import Running

    from flows.daily import daily
    from flows.worker import LOST, reap

    died, works, foreign = (scheduled_for(client, datetime.now(UTC)) for _ in range(3))
    deployment = client.create_deployment(client.create_flow(daily), name="daily here")
    never = client.create_flow_run_from_deployment(deployment)
    for run in (died, never, works, foreign):
        client.set_flow_run_state(run.id, Running(), force=True)
    an_hour_ago = (
        "INSERT INTO fortnight.run (run_id, started_by, host, pid, started_at) SELECT %s, 'flow', 'x', 1, now() - interval '1h'"
    )
    store.connection.execute(an_hour_ago, (died.id,))
    with store.recorded(NewRun(works.id, "flow", "here", 2)):
        assert reap(client, ["daily here"], datetime.now(UTC)) == [], "its death has only just been noticed"
        store.connection.execute("UPDATE fortnight.run SET ended_at = ended_at - interval '1h' WHERE outcome = 'died'")
        assert reap(client, ["daily there"], datetime.now(UTC) + 2 * LOST) == [died.id]
        assert reap(client, ["daily here"], datetime.now(UTC) + 2 * LOST) == [never.id]
    names = [client.read_flow_run(run.id).state_name for run in (died, never, works, foreign)]
    assert names == ["Crashed", "Crashed", "Running", "Running"]


def test_a_run_leaves_its_forecast_and_tables_to_look_at(client: "SyncPrefectClient") -> None:
    from flows.daily import daily

    assert daily(source="simulated", as_of=AS_OF, return_state=True).is_completed()
    every = sorted(client.read_artifacts(), key=lambda artifact: str(artifact.created))
    found = {artifact.key: str(artifact.data) for artifact in every if artifact.key}  # the newest of each key
    assert {"forecast-simulated", "retrain-simulated", "watch"} <= set(found)
    assert "SIMULATED, not real" in found["forecast-simulated"]
    assert "data:image/png;base64," in found["forecast-simulated"]
    assert found["forecast-simulated"].count("Mar 2024") == 14
    families = {row["family"] for row in json.loads(found["retrain-simulated"])}
    assert families == {"weekly_naive", "seq2seq_attention"}
