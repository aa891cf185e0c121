"""Findings and stored series for tests of alerts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from forecasting.domain import Finding, Series
from forecasting.episodes import Policy
from forecasting.rules import RULES
from forecasting.store import Store

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2014, 1, 1, tzinfo=UTC)
POLICY = Policy(cool_down=3 * DAY, escalate_after=DAY)
MESSAGE = "the newest reading is 50 hours old, 14 are allowed"


def finding(
    rule: str = "readings_stale", series_id: str | None = "vic", bad: bool | None = True, day: float = 0, **more: object
) -> Finding:
    """Bad since a day, which counts from START."""
    plain = Finding(rule, series_id, bad, START + day * DAY, RULES[rule].severity, MESSAGE, cause="the feed is down")
    return replace(plain, **more)  # type: ignore[arg-type]


def register(store: Store, series_ids: Sequence[str]) -> None:
    for series_id in series_ids:
        store.readings.register(
            Series(series_id, series_id, "AU-VIC", "Australia/Melbourne", timedelta(minutes=30), "csv", simulated=False)
        )
