"""From findings to messages that wait, on a real database."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from pydantic import SecretStr

from forecasting.episodes import State
from forecasting.errors import StoreError
from forecasting.jobs.alerting import record
from forecasting.links import ui_url
from forecasting.service import Service
from forecasting.settings import AlertSettings, ChannelSettings, Settings
from forecasting.store import Store
from tests.alerts.builders import DAY, HOUR, START, finding, register

CHANNELS = {
    "ops": ChannelSettings(url=SecretStr("json://127.0.0.1:9/sesame")),
    "pager": ChannelSettings(url=SecretStr("json://127.0.0.1:9/sesame"), takes=("page",), escalations=False),
    "boss": ChannelSettings(url=SecretStr("json://127.0.0.1:9/sesame"), takes=()),
}


@pytest.fixture
def service(settings: Settings, store: Store) -> Service:
    register(store, ["vic", "north"])
    return Service(settings.model_copy(update={"alerts": AlertSettings(channels=CHANNELS)}), store, START)


def waiting(service: Service) -> list[tuple[str, str]]:
    rows = service.store.connection.execute("SELECT kind, channel FROM fortnight.notification ORDER BY notification_id").fetchall()
    return [(str(kind), str(channel)) for kind, channel in rows]


def test_each_channel_gets_what_it_takes(service: Service) -> None:
    opened = record(service, [finding()], START)
    assert str(opened) == "alert opened: readings_stale (vic)"
    assert waiting(service) == [("firing", "log"), ("firing", "ops"), ("firing", "pager")]
    record(service, [finding("bias_by_lead", "north")], START + HOUR)
    assert waiting(service)[3:] == [("digest", "log"), ("digest", "ops")]
    record(service, [finding()], START + DAY)
    assert waiting(service)[5:] == [("escalated", "log"), ("escalated", "ops"), ("escalated", "boss")]
    closed = record(service, [finding(bad=False)], START + 2 * DAY)
    assert str(closed) == "alert resolved: readings_stale (vic)"
    assert waiting(service)[8:] == [("resolved", "log"), ("resolved", "ops"), ("resolved", "pager"), ("resolved", "boss")]


def test_the_same_watch_again_leaves_every_row_as_it_was(service: Service) -> None:
    def rows() -> object:
        return [
            service.store.connection.execute(f"SELECT * FROM fortnight.{table} ORDER BY 1").fetchall()
            for table in ("alert", "notification")
        ]

    findings = [finding(), finding("gaps_growing"), finding("loss_drift_series", "north"), finding("loss_drift", None, bad=None)]
    record(service, findings, START)
    before = rows()
    for as_of in (START, START - DAY):
        assert record(service, findings, as_of).messages == 0
        assert rows() == before


def test_who_acknowledged_is_not_asked_again(service: Service) -> None:
    (opened,) = record(service, [finding()], START).fired
    assert opened.alert_id is not None
    service.store.alerts.acknowledge(opened.alert_id, "ann", "on it")
    assert record(service, [finding()], START + 3 * DAY).messages == 0
    found = service.store.alerts.get(opened.alert_id)
    assert (found.state, found.acknowledged_by, found.note) == (State.ACKNOWLEDGED, "ann", "on it")


def test_a_silence_holds_back_and_its_end_lets_go(service: Service) -> None:
    service.store.alerts.silence("readings_stale", None, START - HOUR, START + HOUR, "known", "ann")
    assert record(service, [finding()], START).messages == 0
    later = replace(service, now=START + 2 * HOUR)
    assert record(later, [finding()], START + DAY).messages == 1


def test_addresses_never_come_into_the_database(service: Service) -> None:
    record(service, [finding()], START)
    for row in service.store.connection.execute("SELECT n::text FROM fortnight.notification AS n").fetchall():
        assert "sesame" not in str(row)


def test_states_and_messages_are_written_together_or_not_at_all(service: Service) -> None:
    service.store.connection.execute("ALTER TABLE fortnight.notification ADD CHECK (subject !~ 'stale')")
    with pytest.raises(psycopg.errors.CheckViolation):
        record(service, [finding()], START)
    assert service.store.alerts.newest() == {}


def test_a_finding_about_an_unknown_series_is_refused(service: Service) -> None:
    with pytest.raises(StoreError, match="series 'narnia' is not stored"):
        record(service, [finding(series_id="narnia")], START)


def test_watches_at_once_take_turns(service: Service, dsn: str) -> None:
    def one(number: int) -> int:
        with Store(dsn) as store:
            return record(replace(service, store=store), [finding(), finding("feed_frozen", "north")], START).messages

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [0, 0, 0, 2]
    assert len(waiting(service)) == 6


def test_five_hundred_series_at_once_are_one_message_a_channel(service: Service) -> None:
    names = [f"s{number:03}" for number in range(500)]
    register(service.store, names)
    began = time.perf_counter()
    opened = record(service, [finding(series_id=name, score=float(number)) for number, name in enumerate(names)], START)
    took = time.perf_counter() - began
    assert (len(opened.fired), opened.messages) == (500, 1)
    assert waiting(service) == [("firing", "log"), ("firing", "ops"), ("firing", "pager")]
    (subject,) = set(service.store.connection.execute("SELECT subject FROM fortnight.notification").fetchall())
    assert subject == ("[fortnight] PAGE 500 series: readings are stale: s499, s498, s497 and 497 more",)
    closed = record(service, [finding(series_id=name, bad=False) for name in names], START + HOUR)
    assert (len(closed.resolved), closed.messages) == (500, 1)
    assert took < 5


def test_links_go_where_people_open_mlflow(settings: Settings) -> None:
    assert ui_url(settings) is None
    tracked = settings.model_copy(update={"mlflow_tracking_uri": SecretStr("https://me:sesame@mlflow.example.org")})
    assert ui_url(tracked) == "https://mlflow.example.org"
    assert ui_url(tracked.model_copy(update={"mlflow_ui_url": "https://ui"})) == "https://ui"
    assert ui_url(settings.model_copy(update={"mlflow_tracking_uri": SecretStr("sqlite:///x.db")})) is None
