"""One run at a time for each series."""

import pytest

from forecasting.errors import AlreadyRunning
from forecasting.store import Store


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
    holder.__exit__(None, None, None)
