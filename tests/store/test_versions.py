"""Model versions, their losses, and who was champion when."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from forecasting.store import Store
from tests.store.builders import START, add_version, new_version, score_row, series

pytestmark = pytest.mark.one_server

DAY = timedelta(days=1)


@pytest.fixture
def key(store: Store) -> int:
    store.readings.register(series())
    return store.readings.key(series())


def test_champion_is_the_last_promoted_by_then(store: Store, key: int) -> None:
    for number, promoted in ((1, True), (2, False), (3, True)):
        add_version(store, new_version(key, number, START + number * DAY), elected=promoted)
    found = [store.versions.champion(key, "daily", START + days * DAY) for days in (0, 1, 2, 3, 9)]
    assert [version and version.version for version in found] == [None, 1, 1, 3, 3]


def test_a_retrain_is_recorded_once_and_with_all_its_scores_or_none(store: Store, key: int) -> None:
    add_version(store, new_version(key, 1), [score_row("candidate", 3.0, 1), score_row("weekly_naive", 4.0)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        add_version(store, new_version(key, 2, key="key 1"))
    with pytest.raises(psycopg.errors.CheckViolation):
        add_version(store, new_version(key, 3), [score_row("candidate", 3.0, 3), score_row("weekly_naive", float("nan"))])
    assert store.versions.by_retrain_key("key 3") is None
    assert store.connection.execute("SELECT count(*) FROM fortnight.validation_score").fetchone() == (2,)


def test_settling_the_alias_is_remembered(store: Store, key: int) -> None:
    version = add_version(store, new_version(key))
    assert version.alias_settled_at is None
    store.versions.settle_alias(version)
    again = store.versions.by_number("fortnight-vic-daily", 1)
    assert again is not None
    assert again.alias_settled_at is not None


def test_validation_losses_are_of_whoever_was_in_charge(store: Store, key: int) -> None:
    naive = score_row("weekly_naive", 5.0)
    add_version(store, new_version(key, 1, START), [score_row("candidate", 3.0, 1), naive])
    kept = [score_row("candidate", 9.0, 2), score_row("champion", 4.0, 1), naive]
    add_version(store, new_version(key, 2, START + DAY), kept, elected=False)
    losses = store.versions.validation_losses(key, "daily", START + DAY)
    assert [(loss.model_mwh, loss.weekly_naive_mwh, loss.version) for loss in losses] == [(3.0, 5.0, 1), (4.0, 5.0, 1)]
    assert len(store.versions.validation_losses(key, "daily", START)) == 1


def test_a_retrain_records_every_candidate_and_only_its_contender_stands(store: Store, key: int) -> None:
    families = ("weekly_naive", "weather_paths", "seq2seq_attention")
    candidates = [
        replace(new_version(key, number, contender=number == 2, key="key"), family=family)
        for number, family in enumerate(families, start=1)
    ]
    contender = store.versions.add(candidates, [score_row("candidate", 3.0, 2)], "the best of three")
    assert contender.version == 2
    assert store.versions.by_retrain_key("key") == contender
    champion = store.versions.champion(key, "daily", START)
    assert champion is not None
    assert champion.version == 2
    assert all(store.versions.by_number("fortnight-vic-daily", number) is not None for number in (1, 2, 3))


def test_a_promotion_by_hand_stands_until_the_next_one(store: Store, key: int) -> None:
    first, second = (add_version(store, new_version(key, number, START + number * DAY)) for number in (1, 2))
    assert store.versions.champion_before(second, START + 2 * DAY) == first
    assert store.versions.champion_before(first, START + 2 * DAY) is None
    store.versions.promote(first, "by hand", START + 3 * DAY, "its bands are wider in summer")
    found = [store.versions.champion(key, "daily", START + days * DAY) for days in (2, 3, 4)]
    assert [version and version.version for version in found] == [2, 1, 1]
    assert store.versions.champion_before(first, START + 3 * DAY) == second
    store.versions.promote(second, "rollback", START + 4 * DAY, "no, it was not")
    assert store.versions.champion_before(second, START + 4 * DAY) == first, "what a rollback left is not gone back to"
    add_version(store, new_version(key, 3, START + 5 * DAY))
    newest = store.versions.champion(key, "daily", START + 5 * DAY)
    assert newest is not None
    assert newest.version == 3
