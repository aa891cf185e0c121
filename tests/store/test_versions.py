"""Model versions, their losses, and who was champion when."""

from datetime import timedelta

import psycopg
import pytest

from forecasting.store import Store
from tests.store.builders import START, new_version, score_row, series

DAY = timedelta(days=1)


@pytest.fixture
def key(store: Store) -> int:
    store.readings.register(series())
    return store.readings.key(series())


def test_champion_is_the_last_promoted_by_then(store: Store, key: int) -> None:
    for number, promoted in ((1, True), (2, False), (3, True)):
        store.versions.add(new_version(key, number, START + number * DAY, promoted=promoted), [])
    found = [store.versions.champion(key, "daily", START + days * DAY) for days in (0, 1, 2, 3, 9)]
    assert [version and version.version for version in found] == [None, 1, 1, 3, 3]


def test_a_retrain_is_recorded_once_and_with_all_its_scores_or_none(store: Store, key: int) -> None:
    store.versions.add(new_version(key, 1), [score_row("candidate", 3.0, 1), score_row("weekly_naive", 4.0)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        store.versions.add(new_version(key, 2, key="key 1"), [])
    with pytest.raises(psycopg.errors.CheckViolation):
        store.versions.add(new_version(key, 3), [score_row("candidate", 3.0, 3), score_row("weekly_naive", float("nan"))])
    assert store.versions.by_retrain_key("key 3") is None
    assert store.connection.execute("SELECT count(*) FROM fortnight.validation_score").fetchone() == (2,)


def test_settling_the_alias_is_remembered(store: Store, key: int) -> None:
    version = store.versions.add(new_version(key), [])
    assert version.alias_settled_at is None
    store.versions.settle_alias(version)
    again = store.versions.by_number("fortnight-vic-daily", 1)
    assert again is not None
    assert again.alias_settled_at is not None


def test_validation_losses_are_of_whoever_was_in_charge(store: Store, key: int) -> None:
    naive = score_row("weekly_naive", 5.0)
    store.versions.add(new_version(key, 1, START), [score_row("candidate", 3.0, 1), naive])
    kept = [score_row("candidate", 9.0, 2), score_row("champion", 4.0, 1), naive]
    store.versions.add(new_version(key, 2, START + DAY, promoted=False), kept)
    losses = store.versions.validation_losses(key, "daily", START + DAY)
    assert [(loss.model_mwh, loss.weekly_naive_mwh, loss.version) for loss in losses] == [(3.0, 5.0, 1), (4.0, 5.0, 1)]
    assert len(store.versions.validation_losses(key, "daily", START)) == 1
