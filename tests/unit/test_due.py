"""When a daily run is due, on clocks that change."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from forecasting.jobs.due import last_due

MELBOURNE, BERLIN = ZoneInfo("Australia/Melbourne"), ZoneInfo("Europe/Berlin")
SIX = (time(6),)


@pytest.mark.parametrize(
    ("now", "zone", "at", "due"),
    [
        ("2024-03-01T20:00Z", MELBOURNE, SIX, "2024-03-01T19:00Z"),
        ("2024-03-01T18:59Z", MELBOURNE, SIX, "2024-02-29T19:00Z"),
        ("2024-03-01T19:00Z", MELBOURNE, SIX, "2024-03-01T19:00Z"),
        # Both changes of Melbourne: an hour later by UTC in winter.
        ("2024-04-07T00:00Z", MELBOURNE, SIX, "2024-04-06T20:00Z"),
        ("2024-10-06T00:00Z", MELBOURNE, SIX, "2024-10-05T19:00Z"),
        # 02:30 is left out on the last Sunday of March in Berlin, and comes twice on that of October.
        ("2024-03-31T12:00Z", BERLIN, (time(2, 30),), "2024-03-31T01:30Z"),
        ("2024-10-27T12:00Z", BERLIN, (time(2, 30),), "2024-10-27T00:30Z"),
        ("2024-03-01T12:00Z", BERLIN, (time(6), time(11)), "2024-03-01T10:00Z"),
        ("2024-03-01T09:00Z", BERLIN, (time(11), time(6)), "2024-03-01T05:00Z"),
    ],
)
def test_due_by_the_local_clock(now: str, zone: ZoneInfo, at: tuple[time, ...], due: str) -> None:
    found = last_due(datetime.fromisoformat(now), zone, at)
    assert found == datetime.fromisoformat(due)
    assert found.tzinfo is UTC or found.utcoffset() == datetime.fromisoformat(now).utcoffset()
