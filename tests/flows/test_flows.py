"""The flows on a real Prefect server: what ends how, and what is left behind."""

import json
from pathlib import Path

import pytest

from forecasting.settings import Settings
from forecasting.store import Store

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
