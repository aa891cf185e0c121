"""A database of every earlier schema, with data in it, becomes one of today, and consumers go on reading."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from forecasting.store import Store, schema, upgrading
from forecasting.store.database import connect
from tests.store.world_of_before import Connection, columns_of, fill, fill_first, rows_of

SINCE_ISSUES_ARE_READY = [revision for revision in schema.revisions()[:-1] if revision >= "0004"]


@contextmanager
def at_revision(dsn: str, revision: str) -> Iterator[Connection]:
    """The database as that revision left it."""
    upgrading.upgrade(dsn, revision)
    with connect(dsn) as opened:
        yield opened


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_an_older_database_keeps_all_it_has(empty_dsn: str, revision: str) -> None:
    with at_revision(empty_dsn, revision) as connection:
        fill_first(connection, revision)
    with Store(empty_dsn) as store:
        assert schema.current(store.connection) == schema.head()
        rows = store.forecasts.latest("vic", "daily")
        assert [row.lead for row in rows] == list(range(1, 15))
        assert {(row.mean, row.q10, row.q90, row.tier, row.model_version) for row in rows} == {(100.0, 90.0, 110.0, "champion", 1)}
        told = store.forecasts.told(1)
        assert (told.recipe, told.kept_leads) == (None, 14)
        counted = store.connection.execute("SELECT count(*), sum(value) FROM fortnight.reading").fetchone()
        assert counted == (48, 4800.0)
        (episode,) = store.alerts.listed(resolved_after=rows[0].issued_at)
        assert (episode.finding.rule, episode.finding.series_id, episode.state) == ("validation_loss_drift", "vic", "firing")
        champion = store.versions.champion(1, "daily", rows[0].issued_at)
        assert champion is not None
        assert champion.version == 1


@pytest.mark.parametrize("revision", SINCE_ISSUES_ARE_READY)
def test_every_row_and_every_view_reads_the_same_after_the_upgrade(empty_dsn: str, revision: str) -> None:
    with at_revision(empty_dsn, revision) as connection:
        fill(connection, revision)
        tables, views = columns_of(connection, "fortnight", "rp"), columns_of(connection, "published", "v")
        views = {name: columns for name, columns in views.items() if name.endswith("_v1")}
        assert len(views) >= (14 if revision >= "0005" else 0)
        stored, read = rows_of(connection, "fortnight", tables), rows_of(connection, "published", views)
        assert all(stored.values()), "a table without a typical row shows nothing"
    with Store(empty_dsn) as store:
        assert schema.current(store.connection) == schema.head()
        assert rows_of(store.connection, "fortnight", tables) == stored
        assert rows_of(store.connection, "published", views) == read
        latest = store.forecasts.latest("vic", "daily")
        assert [(row.lead, row.tier, row.reason) for row in latest] == [
            (lead, "weekly_naive", "no model can be used") for lead in range(1, 15)
        ]
        assert {each.finding.rule for each in store.alerts.listed(resolved_after=latest[0].issued_at)} >= {"readings_stale"}
        assert {kept.reason for kept in store.retention.kept(latest[0].issued_at)} >= {"held", "newest of its series"}


def test_the_upgrade_tells_what_it_did_and_would_do(empty_dsn: str) -> None:
    with at_revision(empty_dsn, "0005") as connection:
        planned = schema.pending(connection)
        done = schema.migrate(connection, empty_dsn)
        assert [step.revision for step in planned] == [step.revision for step in done] == schema.revisions()[5:]
        assert [step.title for step in planned] == [step.title for step in done]
        assert all(step.seconds is None for step in planned)
        assert all(step.seconds is not None and step.seconds < 30 for step in done)
        assert schema.pending(connection) == schema.migrate(connection, empty_dsn) == []
