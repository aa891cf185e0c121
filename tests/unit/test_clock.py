"""Whose clock is believed, and what is said of the others."""

from datetime import timedelta

import pytest

from forecasting.jobs.clock import Clocks
from tests.unit.builders import utc

NOW = utc("2024-03-05 06:00")
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("machine", "database", "last_run", "believed", "words"),
    [
        (NOW, NOW, None, NOW, []),
        (NOW, NOW + timedelta(minutes=4), NOW - DAY, NOW, []),
        (NOW + DAY, NOW, NOW - DAY, NOW, ["24 h ahead of that of the database"]),
        (NOW + timedelta(minutes=20), NOW, None, NOW, ["20 min ahead of"]),
        (NOW - DAY, NOW, NOW - DAY, NOW - DAY, ["24 h behind that of the database"]),
        (NOW - 2 * DAY, NOW, NOW - DAY, NOW - DAY, ["48 h behind that of the database", "24 h behind the newest ingest"]),
        (NOW, NOW, NOW + DAY, NOW, ["24 h behind the newest ingest"]),
        (NOW, NOW + DAY, NOW + 2 * DAY, NOW + DAY, ["24 h behind that of the database", "48 h behind the newest ingest"]),
    ],
)
def test_the_earlier_clock_is_believed_but_none_before_the_newest_ingest(machine, database, last_run, believed, words) -> None:  # type: ignore[no-untyped-def]
    clocks = Clocks(machine, database, last_run)
    assert clocks.present == believed
    assert len(clocks.complaints) == len(words)
    assert all(word in told for word, told in zip(words, clocks.complaints, strict=True))
