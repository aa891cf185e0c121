"""Compaction: what goes, what stays, and that it may be interrupted and run beside a publishing service."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from forecasting.errors import SettingsError, StoreError
from forecasting.jobs.compact import compact
from forecasting.store import Store
from tests.conftest import Server, database
from tests.store.builders import series
from tests.store.contract_world import LEADS, World, ask, build, midnight, publish_issue

pytestmark = pytest.mark.one_server

BEFORE = datetime(2015, 1, 1, tzinfo=UTC)
KEPT_LEADS = (1, 2, 7, 14)


@pytest.fixture(scope="module")
def built(server: Server, template: str) -> Iterator[tuple[str, World]]:
    with database(server, template) as dsn:
        with Store(dsn) as store:
            world = build(store, dsn)
        yield dsn.split("dbname=")[1].split()[0], world


@pytest.fixture
def store(server: Server, built: tuple[str, World]) -> Iterator[Store]:
    """A copy for each test."""
    with database(server, built[0]) as dsn, Store(dsn) as opened:
        yield opened


@pytest.fixture
def world(built: tuple[str, World]) -> World:
    return built[1]


def leads_of(store: Store) -> dict[int, int]:
    """How many leads each issue has."""
    rows = store.connection.execute("SELECT issue_id, count(*) FROM fortnight.forecast_value GROUP BY issue_id").fetchall()
    return {int(str(issue)): int(str(count)) for issue, count in rows}


def rows(store: Store, table: str) -> int:
    row = store.connection.execute(f"SELECT count(*) FROM fortnight.{table}".encode()).fetchone()
    assert row is not None
    return int(str(row[0]))


def champions_issues(world: World) -> set[int]:
    return set(world.values[world.values["model"] == world.values["model"].max()]["issue_id"])


def test_a_dry_run_tells_what_the_real_one_drops(store: Store) -> None:
    before = rows(store, "forecast_value"), rows(store, "forecast_path")
    told = compact(store, BEFORE, KEPT_LEADS, dry_run=True)
    assert (rows(store, "forecast_value"), rows(store, "forecast_path")) == before
    done = compact(store, BEFORE, KEPT_LEADS, dry_run=False)
    dropped = [(m.month, m.rows_before, m.rows_dropped, m.paths_dropped) for m in done.months]
    assert dropped == [(m.month, m.rows_before, m.rows_dropped, m.paths_dropped) for m in told.months]
    assert before[0] - rows(store, "forecast_value") == sum(m.rows_dropped for m in done.months) > 0
    assert before[1] - rows(store, "forecast_path") == sum(m.paths_dropped for m in done.months) > 0
    assert any("would drop" in line for line in told.lines())
    assert any("MiB after" in line for line in done.lines())


def test_what_is_needed_stays_whole(store: Store, world: World) -> None:
    every = sorted(world.values["issue_id"].unique())
    by_alert, held = every[2], every[4]
    with store.transaction():
        store.connection.execute(
            """
            INSERT INTO fortnight.alert (series_key, rule, state, pending_as_of, since, last_bad_as_of, judged_as_of,
                                         resolved_as_of, resolved_at, message, issue_id)
            VALUES (NULL, 'drift', 'resolved', now(), now(), now(), now(), now(), now(), 'over', %s)
            """,
            (int(by_alert),),
        )
    store.retention.hold(int(held), "for the regulator")
    store.retention.hold(int(held), "twice is once")
    done = compact(store, BEFORE, KEPT_LEADS, dry_run=False)
    needed = champions_issues(world) | {every[-1], by_alert, held}
    previous = dict(zip(world.values["issue_id"], world.values["previous"], strict=True))
    whole = needed | {int(previous[issue]) for issue in needed if previous[issue] == previous[issue]}
    assert {issue for issue, count in leads_of(store).items() if count == LEADS} == whole
    assert len(whole) < len(every) - 5
    assert {count for issue, count in leads_of(store).items() if issue not in whole} == {len(KEPT_LEADS)}
    kept = {each.reason: each.issues for each in done.kept}
    assert kept["held"] == kept["named by an alert"] == kept["newest of its series"] == 1
    assert kept["made by the present champion"] == len(champions_issues(world))


def test_consumers_see_whole_and_consistent_views_afterwards(store: Store, world: World) -> None:
    query = "SELECT * FROM published.accuracy WHERE lead IN (1, 2, 7, 14) ORDER BY month, lead, tier, model_version"
    latest = "SELECT * FROM published.forecast_latest ORDER BY lead"
    status = "SELECT issue_id, last_target_end, worst FROM published.status"
    before = [ask(store.dsn, text) for text in (query, latest, status)]
    compact(store, BEFORE, KEPT_LEADS, dry_run=False)
    for old, text in zip(before, (query, latest, status), strict=True):
        now = ask(store.dsn, text)
        assert now.columns.tolist() == old.columns.tolist()
        assert len(now) == len(old)
        for name in now.select_dtypes("number").columns:
            np.testing.assert_allclose(now[name].astype(float), old[name].astype(float), err_msg=name)


def test_only_months_that_lie_wholly_before_are_touched(store: Store) -> None:
    done = compact(store, datetime(2014, 4, 30, 23, tzinfo=UTC), KEPT_LEADS, dry_run=False)
    assert [month.month.month for month in done.months] == [3]


def test_interrupted_it_goes_on_and_again_it_does_nothing(store: Store) -> None:
    going = store.retention.compact(BEFORE, KEPT_LEADS, dry_run=False)
    assert next(going).rows_dropped > 0
    going.close()  # type: ignore[attr-defined]
    second = store.connection.execute("SELECT min(month) FROM fortnight.forecast_month WHERE month > '2014-03-01'").fetchone()
    assert second is not None
    # The second month was cut off between its transaction and giving its space back.
    store.connection.execute("SELECT fortnight.compact(%s, '{1,2,7,14}', false)", second)
    assert store.connection.execute("SELECT count(*) FROM fortnight.forecast_month WHERE vacuum_due").fetchone() == (1,)
    done = compact(store, BEFORE, KEPT_LEADS, dry_run=False)
    assert [month.rows_dropped > 0 for month in done.months] == [False, False, True, False]  # October is the champion's
    assert done.months[1].bytes_after < done.months[1].bytes_before
    assert store.connection.execute("SELECT count(*) FROM fortnight.forecast_month WHERE vacuum_due").fetchone() == (0,)
    assert sum(month.rows_dropped for month in compact(store, BEFORE, KEPT_LEADS, dry_run=False).months) == 0


def test_it_runs_beside_a_publishing_service(store: Store, world: World) -> None:
    """An issue is being written into a month that is compacted: it comes out whole, and the space is given back the next time."""
    other = World(store.dsn)
    with Store(store.dsn) as writer:
        with writer.transaction():
            key = writer.readings.key(series())
            origin = midnight("2014-04-20")
            frame = publish_issue(writer, other, key, origin, int(world.values["model"].max()), None, np.random.default_rng(2))
            done = compact(store, BEFORE, KEPT_LEADS, dry_run=False)
        number = int(frame["issue_id"].iloc[0])
    assert leads_of(store)[number] == LEADS
    assert [month.given_back for month in done.months] == [True, False, True, True]
    assert any("run again" in line for line in done.lines())
    again = compact(store, BEFORE, KEPT_LEADS, dry_run=False)
    assert all(month.given_back for month in again.months)
    assert leads_of(store)[number] == LEADS, "it is the champion's"


def test_mistakes_are_told(store: Store) -> None:
    with pytest.raises(SettingsError, match="cannot keep leads 0, 1"):
        compact(store, BEFORE, (0, 1), dry_run=True)
    with pytest.raises(SettingsError, match="cannot keep leads of no number"):
        compact(store, BEFORE, (), dry_run=True)
    with pytest.raises(StoreError, match="there is no issue 99999"):
        store.retention.hold(99999, "why not")


def test_a_held_issue_cannot_slip_through(store: Store, world: World) -> None:
    """Who holds an issue while a month is being compacted waits for its end."""
    with Store(store.dsn) as compacting, compacting.transaction():
        compacting.connection.execute("SELECT fortnight.compact('2014-03-01', '{1}', false)")
        store.connection.execute("SET lock_timeout = '200ms'")
        with pytest.raises(Exception, match="lock timeout"):
            store.retention.hold(int(world.values["issue_id"].min()), "late")
