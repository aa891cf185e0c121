"""The numbers of every published view, against pandas on the same data: clock changes, corrections, a hole, a fallback."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.store import Store
from tests.conftest import Server, database
from tests.store.builders import HALF_HOUR
from tests.store.contract_world import LEADS, World, ask, build, daily, midnight

pytestmark = pytest.mark.one_server

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def world(server: Server, template: str) -> Iterator[World]:
    with database(server, template) as dsn, Store(dsn) as store:
        yield build(store, dsn)


def hours(frame: pd.DataFrame) -> pd.Series:
    return (frame["target_end"] - frame["target_start"]) / HOUR


def same(left: pd.Series, right: pd.Series, name: str = "") -> None:
    np.testing.assert_allclose(
        np.asarray(left, dtype=float), np.asarray(right, dtype=float), rtol=1e-9, atol=1e-6, equal_nan=True, err_msg=name
    )


def expected_pairs(world: World) -> pd.DataFrame:
    """forecast_vs_actual, by pandas."""
    v = world.values.copy()
    v["target_day"] = v["target_start"].dt.tz_convert("Australia/Melbourne").dt.date
    final, seen = daily(world.readings, first=False), daily(world.readings, first=True)
    v["actual"], v["actual_first"] = v["target_day"].map(final), v["target_day"].map(seen)
    v = v.dropna(subset="actual").copy()
    back = [day - timedelta(days=7 * -(-lead // 7)) for day, lead in zip(v["target_day"], v["lead"], strict=True)]
    back_hours = np.array([(midnight(day + timedelta(days=1)) - midnight(day)) / HOUR for day in back])
    v["weekly_naive"] = pd.Series(back, index=v.index).map(seen) / back_hours * hours(v)
    rival = daily(world.operator, first=False)
    known = v["target_start"] - 12 * HOUR <= v["readings_as_of"]
    v["operator_forecast"] = v["target_day"].map(rival).where(known)
    y = v["actual"]
    losses = [np.maximum(level * (y - v[q]), (level - 1) * (y - v[q])) for q, level in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9))]
    v["pinball"] = sum(losses) / 3
    v["error"], v["mean_error"] = v["q50"] - y, v["mean"] - y
    v["absolute_error"] = v["error"].abs()
    v["inside_80"], v["inside_98"] = y.between(v["q10"], v["q90"]), y.between(v["q01"], v["q99"])
    return v.sort_values(["issue_id", "lead"]).reset_index(drop=True)


def test_forecasts_beside_what_happened(world: World) -> None:
    got = ask(world.dsn, "SELECT * FROM published.forecast_vs_actual WHERE series_id = 'vic' ORDER BY issue_id, lead")
    want = expected_pairs(world)
    assert got[["issue_id", "lead", "target_day"]].values.tolist() == want[["issue_id", "lead", "target_day"]].values.tolist()
    assert set((hours(got)).unique()) == {23, 24, 25}
    assert date(2014, 4, 2) not in set(got["target_day"]), "a day with a hole is no actual"
    assert (got["actual"] != got["actual_first"]).any()
    assert got["weekly_naive"].isna().any(), "a rival that rests on the day with the hole is unknown"
    assert (got["operator_forecast"].notna() == (got["lead"] == 1)).all()
    assert got[got["tier"] == "weekly_naive"]["model_name"].isna().all()
    for name in ("mean", "q01", "q10", "q50", "q90", "q99", "actual", "actual_first", "error", "absolute_error", "mean_error",
                 "pinball",
                 "inside_80", "inside_98", "weekly_naive", "operator_forecast"):  # fmt: skip
        same(got[name], want[name], name)


def test_accuracy(world: World) -> None:
    got = ask(world.dsn, "SELECT * FROM published.accuracy WHERE series_id = 'vic' ORDER BY month, lead, tier, model_version")
    pairs = expected_pairs(world)
    pairs["month"] = [day.replace(day=1) for day in pairs["target_day"]]
    final = daily(world.readings, first=False)
    change = (final - pd.Series({day + timedelta(days=7): value for day, value in final.items()})).abs().dropna()
    rows = []
    for (month, lead, tier, model), group in pairs.groupby(["month", "lead", "tier", pairs["model"].fillna(-1)]):
        year = change[[month - timedelta(days=365) <= day < month for day in change.index]]
        naive, operator = group.dropna(subset="weekly_naive"), group.dropna(subset="operator_forecast")
        rival = [(other["actual"] - other[name]).abs().mean() / 2 for other, name in
                 ((naive, "weekly_naive"), (operator, "operator_forecast"))]  # fmt: skip
        rows.append({
            "month": month, "lead": lead, "tier": tier, "model": model, "n": len(group), "mae": group["absolute_error"].mean(),
            "mape_percent": 100 * (group["absolute_error"] / group["actual"]).mean(),
            "mase": group["absolute_error"].mean() / year.mean(),
            "bias": group["mean_error"].mean(), "pinball": group["pinball"].mean(), "coverage_80": group["inside_80"].mean(),
            "coverage_98": group["inside_98"].mean(), "skill_vs_weekly_naive": 1 - naive["pinball"].mean() / rival[0],
            "skill_vs_operator": 1 - operator["pinball"].mean() / rival[1],
        })  # fmt: skip
    want = pd.DataFrame(rows).sort_values(["month", "lead", "tier", "model"]).reset_index(drop=True)
    assert got[["month", "lead", "tier", "n"]].values.tolist() == want[["month", "lead", "tier", "n"]].values.tolist()
    for name in want.columns[5:]:
        same(got[name], want[name], name)
    assert got["skill_vs_operator"].notna().any()
    some = ask(
        world.dsn, "SELECT * FROM published.accuracy WHERE series_id = 'vic' AND month >= '2014-04-01' AND month < '2014-05-01'"
    )
    assert len(some) == (want["month"] == date(2014, 4, 1)).sum()


def test_the_newest_forecast_is_whole_and_the_past_can_be_asked_for(world: World) -> None:
    newest = world.values[world.values["issue_id"] == world.values["issue_id"].max()]
    got = ask(world.dsn, "SELECT * FROM published.forecast_latest WHERE series_id = 'vic' ORDER BY lead")
    assert got["lead"].tolist() == list(range(1, LEADS + 1))
    same(got["q95"], newest["q95"])
    everything = ask(world.dsn, "SELECT * FROM published.forecast ORDER BY issue_id, lead")
    assert len(everything) == len(world.values)
    assert everything.columns.tolist() == got.columns.tolist()
    fallback = everything[everything["tier"] == "weekly_naive"]
    assert fallback[["model_name", "model_version", "mlflow_run_id"]].isna().all(axis=None)
    assert set(fallback["feed_at_fault"]) == {"registry"}
    then = world.values["readings_as_of"].sort_values().iloc[5 * LEADS]
    for moment, column in ((then, then), (then - timedelta(seconds=1), then - timedelta(days=1))):
        old = ask(world.dsn, "SELECT * FROM published.forecast_as_of(%s) WHERE series_id = 'vic' ORDER BY lead", (moment,))
        assert old.columns.tolist() == got.columns.tolist()
        assert set(old["readings_as_of"]) == {pd.Timestamp(column)}
    assert ask(world.dsn, "SELECT * FROM published.forecast_as_of('2000-01-01Z')").empty


def test_issues_that_are_not_ready_are_not_seen(world: World) -> None:
    with Store(world.dsn) as store, store.connection.transaction(force_rollback=True):
        store.connection.execute(
            """
            INSERT INTO fortnight.forecast_issue
                (series_key, resolution, origin, readings_as_of, model_version_key, history_sha256, unit, leads, inputs_sha256)
            SELECT series_key, resolution, now() - interval '1 day', now(), model_version_key, 'x', unit, leads, 'x'
            FROM fortnight.forecast_issue WHERE model_version_key IS NOT NULL LIMIT 1
            """
        )
        for view in ("forecast_latest", "issue", "status"):
            row = store.connection.execute(
                f"SELECT max(origin) < now() - interval '2 days' FROM published.{view}".encode()
            ).fetchone()
            assert row == (True,), view


def test_readings_as_of_a_moment(world: World) -> None:
    moment = pd.Timestamp("2014-04-09T12:00Z")
    known = world.readings[world.readings["known_at"] <= moment].sort_values(["interval_start", "known_at"])
    want = known.drop_duplicates("interval_start", keep="last").reset_index(drop=True)
    got = ask(world.dsn, "SELECT * FROM published.demand_as_of(%s) WHERE series_id = 'vic' ORDER BY interval_start", (moment,))
    assert got["interval_start"].tolist() == want["interval_start"].tolist()
    same(got["value"], want["value"])
    versions = ask(world.dsn, "SELECT count(*) AS n FROM published.demand_version WHERE series_id = 'vic'")
    assert versions["n"].tolist() == [len(world.readings)]
    rival = ask(world.dsn, "SELECT * FROM published.demand_forecast_as_of('2014-04-09Z') WHERE series_id = 'vic'")
    assert len(rival) == (world.operator["known_at"] <= pd.Timestamp("2014-04-09T00:00Z")).sum()


def test_a_filter_reaches_the_primary_key(world: World) -> None:
    query = """EXPLAIN SELECT * FROM published.demand_as_of('2014-04-09Z')
               WHERE series_id = 'vic' AND interval_start >= '2014-04-01Z' AND interval_start < '2014-04-02Z'"""
    with Store(world.dsn) as store:
        store.connection.execute("ANALYZE fortnight.reading, fortnight.series")
        plan = "\n".join(str(row[0]) for row in store.connection.execute(query.encode()).fetchall())
    conditions = [line for line in plan.splitlines() if "Index Cond" in line and "interval_start" in line]
    assert "reading_pkey" in plan
    assert any("series_key = " in line and "2014-04-01" in line and "2014-04-02" in line for line in conditions), plan


def test_peaks_drivers_and_paths(world: World) -> None:
    want = world.values
    peak = ask(world.dsn, "SELECT * FROM published.daily_peak WHERE series_id = 'vic' ORDER BY issue_id, lead")
    same(peak["p90_mw"], want["peak_q90_mw"])
    local = [start.tz_convert("Australia/Melbourne").tz_localize(None) for start in want["peak_start"]]
    assert peak["peak_start_local"].tolist() == local
    assert peak[peak["latest"]]["issue_id"].unique().tolist() == [want["issue_id"].max()]
    driver = ask(world.dsn, "SELECT * FROM published.driver WHERE series_id = 'vic' ORDER BY issue_id, lead")
    same(driver["weather_mw"], want["weather_mwh"] / hours(want))
    parts = driver[["reference_mw", "calendar_mw", "weather_mw", "level_mw"]].sum(axis=1)
    same(parts, driver["mean_mw"])
    same(driver["mean_mw"], want["mean"] / hours(want))
    number = int(want["issue_id"].min()) + 12  # around the end of summer time
    query = "SELECT * FROM published.path WHERE series_id = 'vic' AND issue_id = %s ORDER BY lead, path, interval_start"
    path = ask(world.dsn, query, (number,))
    same(path["mwh"], pd.Series(np.concatenate([values.astype(np.float32).ravel() for values in world.paths[number]])))
    same(path["mw"], path["mwh"] * 2)
    counts = path[path["path"] == 1].groupby("lead").size()
    assert set(counts) == {48, 50}
    ends = path.groupby("lead").agg({"interval_start": "max", "target_end": "first"})
    assert (ends["interval_start"] + HALF_HOUR == ends["target_end"]).all()


@pytest.mark.parametrize("threshold", [0.0, 6000.0, 9000.0, 1e9])
def test_exceedance(world: World, threshold: float) -> None:
    got = ask(world.dsn, "SELECT * FROM published.exceedance('vic', %s)", (threshold,))
    paths = [2 * values.astype(np.float32).astype(float) for values in world.paths[int(world.values["issue_id"].max())]]
    same(got["probability"], pd.Series([(values.max(axis=1) > threshold).mean() for values in paths]))
    same(got["expected_hours"], pd.Series([(values > threshold).sum() / 2 / len(values) for values in paths]))
    assert set(got["paths"]) == {20}
    assert got["latest"].all()
    assert ask(world.dsn, "SELECT * FROM published.exceedance('nobody', 1)").empty


def test_revisions_add_up(world: World) -> None:
    got = ask(world.dsn, "SELECT * FROM published.revision WHERE series_id = 'vic' ORDER BY issue_id, lead")
    now = world.values.dropna(subset="previous")
    before = world.values[["issue_id", "target_start", "mean", "weather_mwh", "model"]]
    want = now.merge(before, left_on=["previous", "target_start"], right_on=["issue_id", "target_start"], how="left",
                     suffixes=("", "_before")).sort_values(["issue_id", "lead"])  # fmt: skip
    length = hours(want)
    same(got["change_mw"], (want["mean"] - want["mean_before"]) / length)
    same_model = (want["model"] == want["model_before"]) | (want["model"].isna() & want["model_before"].isna())
    new_model = (want["mean"] - want["previous_model_mwh"]).where(~same_model, 0.0).where(want["mean_before"].notna())
    same(got["new_model_mw"], new_model / length)
    one_family = want["model"].notna() & want["model_before"].notna()
    same(got["new_weather_mw"], ((want["weather_mwh"] - want["weather_mwh_before"]) / length).where(one_family))
    parts = got.assign(new_weather_mw=got["new_weather_mw"].fillna(0.0))[["new_model_mw", "new_weather_mw", "new_readings_mw"]]
    same(parts.sum(axis=1, skipna=False), got["change_mw"])
    assert got["change_mw"].isna().any()
    assert (got["new_model_mw"] == 0).any()
    assert (got["new_model_mw"].abs() > 1e-6).any()


def test_alerts_and_status(world: World) -> None:
    with Store(world.dsn) as store, store.connection.transaction(force_rollback=True):
        execute = store.connection.execute
        status = "SELECT worst, tier, open_gaps, alerts_firing, last_target_end, newest_reading_end FROM published.status"
        row = execute(status).fetchone()
        newest = world.values.iloc[-1]
        assert row is not None
        assert row[0] == "alarm", "readings of 2014 are old"
        assert row[1:4] == ("champion", 0, 0)
        assert row[4:] == (newest["target_end"], world.readings["interval_start"].max() + HALF_HOUR)
        execute(
            """
            INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
            SELECT series_key, now() - interval '1 hour', now(), 1, 1 FROM fortnight.series WHERE series_id = 'vic'
            """
        )
        assert execute(status).fetchone()[:1] == ("alarm",), "the forecast of 2014 is old"  # type: ignore[index]
        execute(
            """
            INSERT INTO fortnight.forecast_issue
                (series_key, resolution, origin, readings_as_of, model_version_key, history_sha256, unit, leads, inputs_sha256,
                 ready_at)
            SELECT series_key, resolution, now() - interval '1 day', now(), model_version_key, 'x', unit, leads, 'x', now()
            FROM fortnight.forecast_issue WHERE model_version_key IS NOT NULL LIMIT 1
            """
        )
        assert execute(status).fetchone()[:1] == ("well",)  # type: ignore[index]
        for severity, worst in (("digest", "look"), ("page", "alarm")):
            execute(
                """
                INSERT INTO fortnight.alert (series_key, rule, severity, state, pending_as_of, since, last_bad_as_of, judged_as_of,
                                             message, remedy)
                VALUES (NULL, %(severity)s, %(severity)s, 'firing', now(), now(), now(), now(), 'worse', 'look')
                """,
                {"severity": severity},
            )
            assert execute(status).fetchone()[:1] == (worst,)  # type: ignore[index]
        told = execute("SELECT series_id, rule, severity, state, message, remedy FROM published.alert ORDER BY alert_id").fetchall()
        assert told[0] == (None, "digest", "digest", "firing", "worse", "look")
        assert execute("SELECT alerts_firing FROM published.status").fetchone() == (2,)
