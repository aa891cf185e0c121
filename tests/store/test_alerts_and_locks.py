"""One open alert an episode; one run at a time for each series."""

from datetime import timedelta

import pytest

from forecasting.errors import AlreadyRunning
from forecasting.store import Store
from tests.store.builders import START, series

DAY = timedelta(days=1)


def test_an_episode_opens_once_and_resolves_once(store: Store) -> None:
    store.readings.register(series())
    key = store.readings.key(series())
    assert store.alerts.open(key, "drift", START, "worse")
    assert not store.alerts.open(key, "drift", START + DAY, "still worse")
    assert not store.alerts.resolve(key, "drift", START - DAY), "a replayed past cannot end it"
    assert store.alerts.resolve(key, "drift", START + DAY)
    assert not store.alerts.resolve(key, "drift", START + DAY)
    assert store.alerts.open(key, "drift", START + 2 * DAY, "worse again")
    rows = store.connection.execute("SELECT message, resolved_at IS NULL FROM fortnight.alert ORDER BY alert_id").fetchall()
    assert rows == [("worse", False), ("worse again", True)]


def test_a_held_series_is_refused_to_others_and_free_again_afterwards(store: Store) -> None:
    with store.hold("vic"):
        with pytest.raises(AlreadyRunning, match="series vic: already running"), store.hold("vic"):
            pytest.fail("two runs hold the same series")
        with store.hold("other"):
            pass
    with store.hold("vic"):
        pass


def test_a_failing_run_lets_go(store: Store) -> None:
    with pytest.raises(ValueError, match="boom"), store.hold("vic"):
        raise ValueError("boom")
    with store.hold("vic"):
        pass


def test_a_broken_connection_lets_go(store: Store) -> None:
    holder = store.hold("vic")
    holder.__enter__()
    held = """SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%FOR UPDATE NOWAIT%'
              AND datname = current_database()"""
    row = store.connection.execute(held).fetchone()
    assert row is not None
    store.connection.execute("SELECT pg_terminate_backend(%s, 5000)", row)
    with store.hold("vic"):
        pass
    with pytest.raises(Exception, match=r"terminat|closed|lost"):
        holder.__exit__(None, None, None)
