"""When something is wrong, and how wrong."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forecasting.jobs.status import ALARM, LOOK, WELL, judge
from forecasting.report import status_json
from forecasting.settings import IngestSettings
from forecasting.store.overview import SeriesState

NOW = datetime(2024, 3, 2, 8, tzinfo=UTC)
SETTINGS = IngestSettings(stale_hours=36)
FINE = SeriesState(
    series_id="vic",
    demand_id="vic",
    quantity="demand",
    source="csv",
    interval=timedelta(minutes=30),
    publication_delay=timedelta(hours=1),
    newest_end=NOW - timedelta(hours=2),
    last_run_as_of=NOW - timedelta(hours=2),
    last_refusal=None,
    gaps=0,
    missing_readings=0,
    asked_gaps=0,
    quarantined=5,
    newly_quarantined=0,
    forecast_origin=NOW - timedelta(hours=20),
    forecast_issued_at=NOW - timedelta(hours=2),
    model_name="fortnight-vic-daily",
    model_version=3,
    forecast_tier="champion",
    forecast_reason=None,
    feed_at_fault=None,
    open_alerts=0,
)


def test_what_is_fresh_and_whole_is_well() -> None:
    found = judge(FINE, SETTINGS, NOW)
    assert (found.level, found.findings, found.lag) == (WELL, (), timedelta(hours=1))


@pytest.mark.parametrize(
    ("change", "level", "finding"),
    [
        ({"newest_end": NOW - timedelta(hours=37)}, WELL, ""),  # 36 hours and the declared delay
        ({"newest_end": NOW - timedelta(hours=38)}, ALARM, "readings are stale"),
        ({"newest_end": None}, ALARM, "no readings"),
        ({"last_refusal": "it was down"}, ALARM, "last ingest failed: it was down"),
        ({"forecast_origin": None}, ALARM, "no forecast"),
        ({"forecast_origin": NOW - timedelta(hours=60)}, WELL, ""),
        ({"forecast_origin": NOW - timedelta(hours=61)}, ALARM, "forecast is stale"),
        ({"gaps": 2, "missing_readings": 1234}, WELL, ""),  # too old to be asked for again
        ({"gaps": 2, "asked_gaps": 1}, LOOK, "1 gaps of the last 60 days, which are asked for again"),
        ({"newly_quarantined": 7}, LOOK, "7 rows quarantined in the last 7 days"),
        ({"open_alerts": 1}, LOOK, "1 open alerts"),
        ({"quantity": "temperature", "newest_end": NOW - timedelta(days=9), "forecast_origin": None}, LOOK, "readings are stale"),
        ({"quantity": "temperature", "last_refusal": "it was down"}, LOOK, "last ingest failed: it was down"),
        ({"quantity": "holiday", "newest_end": NOW - timedelta(days=9), "forecast_origin": None}, WELL, ""),
    ],
)
def test_each_finding_has_its_level(change: dict[str, object], level: int, finding: str) -> None:
    found = judge(replace(FINE, **change), SETTINGS, NOW)  # type: ignore[arg-type]
    assert (found.level, "; ".join(found.findings)) == (level, finding)


def test_the_worst_comes_first() -> None:
    found = judge(replace(FINE, gaps=1, asked_gaps=1, last_refusal="down"), SETTINGS, NOW)
    assert found.findings == ("last ingest failed: down", "1 gaps of the last 60 days, which are asked for again")
    assert found.level == ALARM


def test_machines_get_the_same_as_json() -> None:
    (row,) = json.loads(status_json([judge(FINE, SETTINGS, NOW)]))
    assert (row["series_id"], row["level"], row["lag_s"], row["interval"]) == ("vic", WELL, 3600.0, 1800.0)


def test_a_fallback_and_a_forecast_from_damaged_data_say_so() -> None:
    fallback = replace(FINE, forecast_tier="last_good", forecast_reason="version 3 cannot be used", feed_at_fault="model")
    found = judge(fallback, SETTINGS, NOW)
    assert (found.level, found.findings) == (LOOK, ("forecast of tier last_good: version 3 cannot be used",))
    damaged = replace(FINE, forecast_reason="the readings end 3 days before the as-of day", feed_at_fault="demand")
    assert judge(damaged, SETTINGS, NOW).findings == (
        "forecast in spite of faults (demand): the readings end 3 days before the as-of day",
    )
