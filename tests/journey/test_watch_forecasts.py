"""What was published beside what came: a model that got worse, a feed that stops, a clock that is wrong, and what follows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.calendar import day_start
from forecasting.domain import Finding, Quantity
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.jobs.watch import watch
from forecasting.service import Service, choose_series, demand_series, open_service
from forecasting.settings import AlertSettings, SeriesSettings, Settings
from forecasting.store.forecasts import Predecessor
from forecasting.store.ingests import Window
from forecasting.store.versions import ModelVersion
from tests.store.builders import MELBOURNE, add_version, forecast, new_issue, new_version

FIRST, LAST = datetime(2013, 7, 1, tzinfo=UTC).date(), datetime(2014, 2, 20, tzinfo=UTC).date()
DAYS = (LAST - FIRST).days
NUMBERS = np.random.default_rng(4)
DAY = timedelta(days=1)
OLD, WORSE = 101, 102
"""Versions, beyond those that MLflow would give here."""
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SURPRISE = NUMBERS.normal(0, 3_000, DAYS + 30)
"""What the weather did to every forecast of a day, MWh."""
BAND = 1.28 * 3_000


def demand(days: int) -> np.ndarray:
    """Half-hours of days with a morning, weekends and noise [days, 48], MWh."""
    hour = np.arange(48) / 2
    shape = 1 + 0.25 / (1 + np.exp(-(hour - 7) * 3)) + 0.1 * np.exp(-((hour - 19) ** 2) / 4)
    dates = pd.date_range(FIRST, periods=days)
    week = np.where(dates.day_of_week >= 5, 0.85, 1.0)
    return np.asarray(2000 * week[:, None] * shape * (1 + 0.005 * NUMBERS.standard_normal((days, 48))))


DEMAND = demand(DAYS + 30)


@pytest.fixture
def given(settings: Settings) -> SeriesSettings:
    return choose_series(settings, source="csv")[0]


@pytest.fixture
def service(settings: Settings, given: SeriesSettings) -> Iterator[Service]:
    """A series with readings up to LAST, and a forecast of each of its last four months, as good as they get."""
    with open_service(settings, NOW) as opened:
        opened.store.readings.register(demand_series(given))
        ingest(opened, given, 0, DAYS)
        version = add_version(opened.store, new_version(opened.store.readings.key(demand_series(given)), OLD))
        for day in range(DAYS - 120, DAYS):
            publish(opened, version, day, error=1.0)
        yield opened


def at(day: int, hours: float = 6) -> datetime:
    return day_start(FIRST + day * DAY, MELBOURNE) + timedelta(hours=hours)


def ingest(service: Service, given: SeriesSettings, first: int, last: int, late_h: int = 0) -> None:
    """Readings of the days from `first` to before `last`, as they come: marked so many hours late."""
    series = demand_series(given)
    key, starts, values = service.store.readings.key(series), [], []
    for day in range(first, last):
        begin, end = at(day, 0), at(day + 1, 0)
        of_day = pd.date_range(begin, end, freq="30min", inclusive="left")
        slots = (of_day.tz_convert(MELBOURNE).hour * 2 + of_day.tz_convert(MELBOURNE).minute // 30).to_numpy()
        starts += list(of_day + timedelta(hours=late_h))
        values += DEMAND[day][slots].tolist()
    batch = Batch(Quantity.DEMAND, readings_frame(pd.DatetimeIndex(starts), pd.array(values)), rejected_frame([]))
    service.store.ingests.clear_stage()
    service.store.ingests.stage(key, batch)
    service.store.ingests.merge(series, key, Window(at(first, 0), at(last, 0), at(last)), batch.rows, states_known_at=False)


def publish(service: Service, version: ModelVersion, day: int, error: float, tier: str = "champion") -> None:
    """The forecast made in the morning of a day: it misses by the weather's surprise and a little of its own, times `error`."""
    own = NUMBERS.normal(0, 300)
    missed = SURPRISE[day : day + 14] * error + own
    actual = DEMAND[day : day + 14].sum(axis=1)
    frame = forecast(origin=at(day, 0))
    widths = {"q01": -7e3, "q05": -5e3, "q10": -BAND, "q30": -1.6e3, "q50": 0, "q70": 1.6e3, "q90": BAND, "q95": 5e3, "q99": 7e3}
    frame = frame.assign(mean=actual + missed, **{name: actual + missed + width for name, width in widths.items()})
    before = actual[0] + SURPRISE[day] + NUMBERS.normal(0, 300)
    predecessor = Predecessor(version.model_version_key, np.array([[before - BAND, before, before + BAND]]))
    issue = new_issue(version, at(day, 0), f"{day}", plausible_min_mwh=0.0, plausible_max_mwh=1e6, tier=tier)
    if tier != "champion":
        issue = new_issue(
            version, at(day, 0), f"{day}", plausible_min_mwh=0.0, plausible_max_mwh=1e6, tier=tier, reason="the champion is gone"
        )
    assert service.store.forecasts.publish(frame, issue, [], predecessor) is not None


def bad(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.rule: finding for finding in findings if finding.bad}


def test_all_is_well(service: Service, given: SeriesSettings) -> None:
    report = watch(service, [(given, at(DAYS))])
    assert report.bad == []
    judged = {finding.rule for finding in report.findings if finding.bad is not None}
    assert {"loss_drift", "time_shift", "readings_stale", "coverage_off", "bias_by_lead", "fallback_share"} <= judged


def test_a_model_that_got_worse_is_found_within_days_and_named(service: Service, given: SeriesSettings) -> None:
    key = service.store.readings.key(demand_series(given))
    worse = add_version(service.store, new_version(key, WORSE, at(DAYS)))
    for ahead in range(5):
        publish(service, worse, DAYS + ahead, error=1.6)
        ingest(service, given, DAYS + ahead, DAYS + ahead + 1)
        report = watch(service, [(given, at(DAYS + ahead + 1))])
        if "loss_drift" in bad(list(report.findings)):
            break
    found = bad(list(report.findings))["loss_drift"]
    assert ahead <= 4
    assert found.severity == "page"
    assert found.cause.startswith(f"the model: version {WORSE} (seq2seq_attention) is worse than predecessor")
    assert found.mlflow_run_id == f"run{WORSE}"
    assert found.picture is not None
    assert Path(found.picture).read_bytes()[:4] == b"\x89PNG"
    row = service.store.connection.execute("SELECT count(*), min(body) FROM fortnight.notification").fetchone()
    assert row is not None
    assert row[0] == 1, "one message to the log"
    assert f"the model: version {WORSE}" in str(row[1])


@pytest.mark.parametrize(("action", "told"), [("rollback", "failed: "), ("retrain", "(weekly_naive) trained")])
def test_a_drift_leads_to_the_action_once_and_its_outcome_is_on_record(
    settings: Settings, service: Service, given: SeriesSettings, action: str, told: str
) -> None:
    """The versions here are rows without files in MLflow: a rollback to one fails, and that is on record."""
    model = settings.model.model_copy(update={"candidates": ("weekly_naive",)})
    changed = settings.model_copy(update={"alerts": AlertSettings(on_drift=action), "model": model})
    key = service.store.readings.key(demand_series(given))
    worse = add_version(service.store, new_version(key, WORSE, at(DAYS)))
    for ahead in range(5):
        publish(service, worse, DAYS + ahead, error=1.6)
        ingest(service, given, DAYS + ahead, DAYS + ahead + 1)
    acting = Service(changed, service.store, NOW)
    first, second = (watch(acting, [(given, at(DAYS + 5))]) for _ in range(2))
    rows = service.store.connection.execute("SELECT action, outcome, ended_at IS NOT NULL FROM fortnight.drift_action").fetchall()
    assert len(rows) == 1
    assert (rows[0][0], rows[0][2]) == (action, True)
    assert len(first.outcomes) == 1
    assert second.outcomes == [], "once an alert"
    assert str(rows[0][1]).startswith("vic: ")
    assert told in str(rows[0][1])


def test_a_feed_that_stops_is_stale_and_silences_what_would_follow_from_it(service: Service, given: SeriesSettings) -> None:
    version = service.store.versions.by_number("fortnight-vic-daily", OLD)
    assert version is not None
    publish(service, version, DAYS, error=1.0)
    report = watch(service, [(given, at(DAYS + 2))])
    found = bad(list(report.findings))
    assert found["readings_stale"].severity == "page"
    assert found["readings_stale"].score == pytest.approx(54 - 36)
    assert found["forecast_missing"].severity == "page"
    assert next(finding for finding in report.findings if finding.rule == "loss_drift").bad is None
    ingest(service, given, DAYS, DAYS + 2)
    publish(service, version, DAYS + 2, error=1.0)
    after = watch(service, [(given, at(DAYS + 2, hours=7))])
    assert after.bad == []
    assert {episode.finding.rule for episode in after.recorded.resolved} == {"readings_stale", "forecast_missing"}


@pytest.mark.parametrize("late_h", [1, -1])
def test_a_silent_shift_of_an_hour_is_found_within_days(service: Service, given: SeriesSettings, late_h: int) -> None:
    for ahead in range(5):
        ingest(service, given, DAYS + ahead, DAYS + ahead + 1, late_h)
        report = watch(service, [(given, at(DAYS + ahead + 1, hours=6))])
        if "time_shift" in bad(list(report.findings)):
            break
    found = bad(list(report.findings))["time_shift"]
    assert found.severity == "page"
    assert f"60 minutes too {'late' if late_h > 0 else 'early'}" in found.cause


def test_fallback_tiers_are_counted(service: Service, given: SeriesSettings) -> None:
    version = service.store.versions.by_number("fortnight-vic-daily", OLD)
    assert version is not None
    for ahead in range(2):
        publish(service, version, DAYS + ahead, error=1.0, tier="last_good")
        ingest(service, given, DAYS + ahead, DAYS + ahead + 1)
    found = bad(list(watch(service, [(given, at(DAYS + 2))]).findings))["fallback_share"]
    assert found.message.startswith("29% of the last 7 forecasts")
    assert found.cause == "the champion is gone"


def test_the_past_is_watched_as_it_was_known(service: Service, given: SeriesSettings) -> None:
    """A watch of an earlier day sees no forecast and no reading of later ones."""
    key = service.store.readings.key(demand_series(given))
    worse = add_version(service.store, new_version(key, WORSE, at(DAYS)))
    for ahead in range(5):
        publish(service, worse, DAYS + ahead, error=2.0)
        ingest(service, given, DAYS + ahead, DAYS + ahead + 1)
    assert "loss_drift" not in bad(list(watch(service, [(given, at(DAYS))]).findings))
    assert "loss_drift" in bad(list(watch(service, [(given, at(DAYS + 5))]).findings))


def test_holes_are_counted_and_a_frozen_feed_is_one_page(service: Service, given: SeriesSettings) -> None:
    """A day of one value: it waits in quarantine, the hole that it leaves is no alert of its own, and who is called reads why."""
    series = demand_series(given)
    key = service.store.readings.key(series)
    frozen = pd.date_range(at(DAYS, 0), at(DAYS + 1, 0), freq="30min", inclusive="left")
    reasons = [("frozen: the same value for 6 hours", {"interval_start": str(start)}) for start in frozen]
    ingest(service, given, DAYS + 1, DAYS + 2)
    service.store.ingests.clear_stage()
    rejected = rejected_frame(reasons, pd.DatetimeIndex(frozen))
    batch = Batch(Quantity.DEMAND, readings_frame(pd.DatetimeIndex([], tz="UTC"), pd.array([], dtype=float)), rejected)
    service.store.ingests.stage(key, batch)
    service.store.ingests.merge(series, key, Window(at(DAYS, 0), at(DAYS + 2, 0), at(DAYS + 2)), batch.rows, states_known_at=False)
    version = service.store.versions.by_number("fortnight-vic-daily", OLD)
    assert version is not None
    publish(service, version, DAYS + 2, error=1.0)
    for again in range(3):
        report = watch(service, [(given, at(DAYS + 2, hours=6 + again))])
    found = bad(list(report.findings))
    assert found["gaps_growing"].score == 48
    assert found["feed_frozen"].cause.startswith("demand: the feed is frozen")
    rows = service.store.connection.execute(
        "SELECT rule, state, inhibited_by FROM fortnight.alert WHERE state <> 'resolved' ORDER BY rule"
    ).fetchall()
    assert ("feed_frozen", "firing", None) in rows
    assert ("gaps_growing", "pending", "feed_frozen") in rows
    told = service.store.connection.execute("SELECT count(*) FROM fortnight.notification").fetchone()
    assert told == (1,)
