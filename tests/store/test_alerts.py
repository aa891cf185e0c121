"""Episodes, silences and actions as rows."""

from dataclasses import replace

import psycopg
import pytest

from forecasting.episodes import Episode, State
from forecasting.errors import StoreError
from forecasting.store import Store
from tests.alerts.builders import DAY, START, finding, register

FIRING = Episode(
    finding(score=2.5, mlflow_run_id="run", picture="p.png", remedy="ask"), State.FIRING, START, START, START, START, told="firing"
)

pytestmark = pytest.mark.one_server


@pytest.fixture
def alert_id(store: Store) -> int:
    """A firing alert about the registered series vic."""
    register(store, ["vic", "north"])
    return store.alerts.write([FIRING])[FIRING.scope]


def test_an_episode_comes_back_as_it_was_stored(store: Store, alert_id: int) -> None:
    pooled = replace(FIRING, finding=finding(series_id=None), state=State.PENDING, fired_as_of=None, told=None)
    ids = store.alerts.write([pooled, replace(FIRING, alert_id=alert_id, times_bad=2, inhibited_by="feed_frozen")])
    expected = [
        replace(FIRING, alert_id=alert_id, times_bad=2, inhibited_by="feed_frozen"),
        replace(pooled, alert_id=ids[pooled.scope]),
    ]
    assert store.alerts.newest() == {episode.scope: episode for episode in expected}
    assert store.alerts.get(alert_id) == expected[0]


def test_a_score_that_is_no_number_is_none(store: Store, alert_id: int) -> None:
    store.alerts.write([replace(FIRING, alert_id=alert_id, finding=replace(FIRING.finding, score=float("nan")))])
    assert store.alerts.get(alert_id).finding.score is None


def test_the_database_holds_one_open_episode_a_scope(store: Store, alert_id: int) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        store.alerts.write([FIRING])
    over = replace(FIRING, alert_id=alert_id, state=State.RESOLVED, resolved_as_of=START + DAY)
    store.alerts.write([over])
    again = store.alerts.write([FIRING])[FIRING.scope]
    assert store.alerts.newest()[FIRING.scope].alert_id == again
    assert [episode.alert_id for episode in store.alerts.listed(START)] == [again, alert_id]


def test_what_never_fired_and_is_over_is_not_listed(store: Store, alert_id: int) -> None:
    over = replace(FIRING, alert_id=alert_id, state=State.RESOLVED, resolved_as_of=START + DAY, fired_as_of=None)
    store.alerts.write([over])
    assert store.alerts.listed(START) == []


def test_somebody_takes_charge_of_what_fires_and_of_nothing_else(store: Store, alert_id: int) -> None:
    store.alerts.acknowledge(alert_id, "ann", "on it")
    store.alerts.acknowledge(alert_id, "ben", None)
    found = store.alerts.get(alert_id)
    assert (found.state, found.acknowledged_by, found.note) == (State.ACKNOWLEDGED, "ben", None)
    with pytest.raises(StoreError, match=r"no alert 999.*fortnight alerts"):
        store.alerts.acknowledge(999, "ann", None)
    store.alerts.write([replace(found, state=State.RESOLVED, resolved_as_of=START)])
    with pytest.raises(StoreError, match=f"alert {alert_id} is resolved"):
        store.alerts.acknowledge(alert_id, "ann", None)


def test_a_silence_is_in_force_until_it_ends_or_is_ended(store: Store, alert_id: int) -> None:
    number = store.alerts.silence("readings_stale", "vic", START, START + 2 * DAY, "works on the meter", "ann")
    everywhere = store.alerts.silence("gaps_growing", None, START, START + DAY, "known", "ann")
    assert [each.silence_id for each in store.alerts.silences(START)] == [number, everywhere]
    (left,) = store.alerts.silences(START + DAY)
    assert (left.rule, left.series_id, left.reason, left.made_by) == ("readings_stale", "vic", "works on the meter", "ann")
    store.alerts.end_silence(number, START + DAY)
    assert store.alerts.silences(START + DAY) == []
    with pytest.raises(StoreError, match=f"no silence {number} is in force"):
        store.alerts.end_silence(number, START + DAY)
    with pytest.raises(StoreError, match="series 'narnia' is not stored"):
        store.alerts.silence(None, "narnia", START, START + DAY, "why", "ann")


def test_an_alert_leads_to_an_action_once(store: Store, alert_id: int) -> None:
    rules = ("readings_stale", "loss_drift")
    assert store.alerts.owing_action(rules, "retrain") == [alert_id]
    action = store.alerts.begin_action(alert_id, "retrain", START)
    assert action is not None
    assert store.alerts.begin_action(alert_id, "retrain", START + DAY) == action, "killed in between, it is begun again"
    assert store.alerts.owing_action(rules, "retrain") == [alert_id]
    store.alerts.finish_action(action, "version 7 is champion")
    assert store.alerts.begin_action(alert_id, "retrain", START + 2 * DAY) is None
    assert store.alerts.owing_action(rules, "retrain") == []
    assert store.alerts.owing_action(rules, "rollback") == [alert_id], "another action is another matter"
    assert store.alerts.owing_action(("loss_drift",), "rollback") == []
    with pytest.raises(StoreError, match=f"action {action} is not under way"):
        store.alerts.finish_action(action, "again")


def test_an_alert_of_an_older_schema_goes_on(store: Store) -> None:
    """Rows of before know no remedy and no cause."""
    register(store, ["vic"])
    store.connection.execute(
        """
        INSERT INTO fortnight.alert
            (series_key, rule, pending_as_of, fired_as_of, message, state, since, last_bad_as_of, judged_as_of)
        SELECT series_key, 'readings_stale', %(t)s, %(t)s, 'old', 'firing', %(t)s, %(t)s, %(t)s FROM fortnight.series
        """,
        {"t": START},
    )
    (found,) = store.alerts.listed(START)
    assert (found.finding.cause, found.finding.remedy) == ("", "")
