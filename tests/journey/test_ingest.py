"""Ingest day by day from feeds that fail as real ones do: late, corrected, missing, doubled, spiked, frozen, down, renamed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError, SourceError
from forecasting.frames import Batch
from forecasting.jobs.backfill import backfill
from forecasting.jobs.ingest import ingest, plan
from forecasting.jobs.status import ALARM, LOOK, WELL, status
from forecasting.service import Service, open_service
from forecasting.settings import SeriesSettings, Settings, WeatherSettings
from forecasting.sources import SOURCES
from forecasting.sources.simulated import SimulatedSource

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 40
DAY = timedelta(days=1)
NOW = FIRST + 400 * DAY


def simulated(**faults: float) -> SeriesSettings:
    return SeriesSettings(
        id="simulated-feed",
        name="A feed with faults",
        region="AU-VIC",
        time_zone="Australia/Melbourne",
        source="simulated",
        options={"faults": faults},
    )


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    quick = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"history_days": 60})})
    with open_service(quick, NOW) as opened:
        yield opened


def run_days(service: Service, given: SeriesSettings, days: int = DAYS) -> list[SourceError]:
    """One ingest a day; the failures."""
    failures = []
    for day in range(days + 1):
        try:
            ingest(service, given, FIRST + day * DAY)
        except SourceError as error:
            failures.append(error)
    return failures


def demand(service: Service, given: SeriesSettings) -> Series:
    return service.feeds(given)[0].primary


def known(service: Service, given: SeriesSettings, as_of: datetime) -> pd.Series:
    frame = service.store.readings.as_of(demand(service, given), as_of)
    return pd.Series(frame["value"].to_numpy(), pd.DatetimeIndex(frame["interval_start"]))


def truth(service: Service, given: SeriesSettings, as_of: datetime) -> pd.Series:
    source = service.feeds(given)[0].source
    assert isinstance(source, SimulatedSource)
    frame = source.truth(demand(service, given), FIRST - 62 * DAY, as_of)
    return pd.Series(frame["value"].to_numpy(), pd.DatetimeIndex(frame["interval_start"]))


LAST = FIRST + DAYS * DAY


def test_late_and_corrected_readings_end_as_the_truth(service: Service) -> None:
    given = simulated(late=0.2, corrected=0.05)
    assert run_days(service, given) == []
    right, stored = truth(service, given, LAST - 4 * DAY), known(service, given, LAST)
    pd.testing.assert_series_equal(stored[: right.index[-1]], right[stored.index[0] :], check_freq=False, check_names=False)
    assert service.store.connection.execute("SELECT count(*) FROM published.corrections").fetchone() != (0,)


def test_what_was_known_on_each_day_is_what_the_feed_gave_that_day(service: Service) -> None:
    given = simulated(late=0.2, corrected=0.05)
    run_days(service, given)
    feed = service.feeds(given)[0]
    for day in range(10, DAYS, 7):
        as_of = FIRST + day * DAY
        since = as_of - 6 * DAY
        gave = pd.concat([b.readings for b in feed.source.read(feed.primary, since, as_of) if b.quantity is Quantity.DEMAND])
        stored = known(service, given, as_of)[since:]
        assert stored.to_dict() == dict(zip(gave["interval_start"], gave["value"], strict=True))


def test_bad_readings_never_reach_the_table_and_good_ones_beside_them_do(service: Service) -> None:
    given = simulated(spiked=0.01, doubled=0.05, conflicting=0.01, missing=0.02)
    run_days(service, given, days=5)
    right, stored = truth(service, given, FIRST + 5 * DAY), known(service, given, FIRST + 5 * DAY)
    wrong = stored[stored != right.reindex(stored.index)]
    assert wrong.empty
    assert 0.9 < len(stored) / len(right) < 0.99
    reasons = service.store.connection.execute("SELECT DISTINCT reason FROM fortnight.quarantine").fetchall()
    kinds = {"doubled with different values", "a spike", "far from the usual"}
    assert all(any(reason.startswith(kind) for kind in kinds) for (reason,) in reasons)
    rows = "SELECT count(*), count(DISTINCT raw) FROM fortnight.quarantine"
    assert len(set(service.store.connection.execute(rows).fetchone() or ())) == 1, "read again every day, kept once"
    assert service.store.ingests.open_gaps(service.store.readings.key(demand(service, given)), FIRST - 60 * DAY, LAST) != []


def test_frozen_and_thousandfold_days_are_quarantined(service: Service) -> None:
    given = simulated(frozen=0.1, scaled=0.05)
    run_days(service, given, days=20)
    right, stored = truth(service, given, FIRST + 20 * DAY), known(service, given, FIRST + 20 * DAY)
    wrong = stored[stored != right.reindex(stored.index)]
    assert len(wrong) / len(right) < 0.01, "what is left of a frozen day was read before six hours of it had passed"
    reasons = {reason for (reason,) in service.store.connection.execute("SELECT reason FROM fortnight.quarantine").fetchall()}
    assert any("frozen" in reason for reason in reasons)
    assert any("thousandfold" in reason for reason in reasons)


def test_a_feed_that_was_down_is_caught_up_with(service: Service) -> None:
    given = simulated(outage=0.4, renamed=0.2)
    failures = run_days(service, given)
    assert len(failures) > DAYS / 4
    recovered = next(day for day in range(DAYS, 60) if not _fails(service, given, FIRST + day * DAY))
    as_of = FIRST + recovered * DAY
    right, stored = truth(service, given, as_of), known(service, given, as_of)
    assert stored.to_dict() == right[stored.index[0] :].to_dict()
    refused = service.store.connection.execute("SELECT count(*) FROM fortnight.ingest_run WHERE refused IS NOT NULL").fetchone()
    assert refused is not None
    assert refused[0] >= len(failures)


def _fails(service: Service, given: SeriesSettings, as_of: datetime) -> bool:
    try:
        ingest(service, given, as_of)
    except SourceError:
        return True
    return False


class Windowed(SimulatedSource):
    """The simulated feed, asked for ten days at once, which can break down after some answers."""

    window = 10 * DAY
    answers_left = 10**6

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        if not type(self).answers_left:
            raise SourceError("the feed broke down", "try again")
        type(self).answers_left -= 1
        return super().read(series, since, until)


@pytest.fixture
def windowed(monkeypatch: pytest.MonkeyPatch) -> type[Windowed]:
    monkeypatch.setitem(SOURCES, "simulated", Windowed)  # type: ignore[arg-type]
    Windowed.answers_left = 10**6
    return Windowed


def test_an_outage_half_way_keeps_what_was_done_and_the_next_run_goes_on_there(service: Service, windowed: type[Windowed]) -> None:
    given = simulated()
    windowed.answers_left = 3
    with pytest.raises(SourceError, match="the feed broke down"):
        ingest(service, given, FIRST)
    half = known(service, given, FIRST)
    assert half.index[-1] - half.index[0] == 30 * DAY - timedelta(minutes=30), "three windows of ten days"
    windowed.answers_left = 10**6
    ingest(service, given, FIRST)
    stored = known(service, given, FIRST)
    assert stored.to_dict() == truth(service, given, FIRST)[stored.index[0] :].to_dict()


def test_gaps_are_asked_for_again_beyond_the_look_back(service: Service, windowed: type[Windowed]) -> None:
    given = simulated(missing=0.001)
    ingest(service, given, FIRST)
    windows = plan(service, service.feeds(given)[0], FIRST + DAY)
    asked = [window for window in windows if window.kind == "gap"]
    assert asked
    assert all(window.end - window.start <= 10 * DAY for window in windows)
    assert [window.start for window in windows] == sorted(window.start for window in windows)


def test_a_backfill_goes_on_where_it_was(service: Service, windowed: type[Windowed]) -> None:
    given = simulated()
    ingest(service, given, FIRST)
    windowed.answers_left = 4
    with pytest.raises(SourceError, match="the feed broke down"):
        backfill(service, given, "2023-07-01", "2023-10-01", FIRST)
    windowed.answers_left = 10**6
    report = backfill(service, given, "2023-07-01", "2023-10-01", FIRST)
    assert report.resumed_at is not None
    assert report.added[Quantity.DEMAND].read < 60 * 48
    stored = known(service, given, FIRST)["2023-07-01":"2023-09-30"]
    assert len(stored) == len(stored.index.unique()) > 91 * 48
    days_known = known(service, given, datetime(2023, 8, 1, tzinfo=UTC))
    assert days_known.index[-1] == pd.Timestamp("2023-07-31 23:30Z"), "backfilled readings are dated by their intervals"


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2023-10-01", "2023-07-01", "--from 2023-10-01 is not before --to 2023-07-01"),
        ("2033-10-01", "2033-11-01", "--from 2033-10-01 lies in the future"),
        ("soon", "2023-07-01", "--from 'soon' is not a time"),
    ],
)
def test_a_backfill_of_nonsense_is_refused(service: Service, first: str, last: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        backfill(service, simulated(), first, last, FIRST)


def test_weather_has_a_source_a_grid_and_issues_of_its_own(service: Service) -> None:
    given = simulated().model_copy(update={"weather": WeatherSettings(source="simulated")})
    for day in range(3):
        ingest(service, given, FIRST + day * DAY)
    temperature, forecast = service.feeds(given)[1].primary, service.feeds(given)[1].companions[0]
    assert temperature.interval == timedelta(hours=1)
    observed = service.store.readings.as_of(temperature, FIRST + 2 * DAY)
    assert np.diff(observed["interval_start"]).max() == np.timedelta64(1, "h")
    for day in range(3):
        issued = FIRST + day * DAY
        frame = service.store.readings.as_of(forecast, issued, issued)
        assert len(frame) == 14 * 24
    query = "SELECT count(DISTINCT known_at) FROM fortnight.reading JOIN fortnight.series USING (series_key) WHERE quantity = %s"
    assert service.store.connection.execute(query, ("temperature_forecast",)).fetchone() == (3,)


def test_demand_goes_on_when_the_weather_is_down(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    given = simulated().model_copy(update={"weather": WeatherSettings(source="csv", options={"path": "/nowhere/weather.csv"})})
    with pytest.raises(SourceError, match=r"weather\.csv"):
        ingest(service, given, FIRST)
    assert len(known(service, given, FIRST)) > 50 * 48


def test_status_tells_fresh_from_stale_and_failing(service: Service, settings: Settings) -> None:
    given = simulated()
    ingest(service, given, FIRST)

    def level(now: datetime) -> tuple[int, str]:
        with open_service(settings, now) as later:
            found = status(later, [given.id])
        return found[0].level, "; ".join(found[0].findings)

    assert level(FIRST) == (ALARM, "no forecast")
    assert level(FIRST + 2 * DAY) == (ALARM, "readings are stale; no forecast")
    window = plan(service, service.feeds(given)[0], FIRST)[0]
    service.store.ingests.refuse(demand(service, given), service.store.readings.key(demand(service, given)), window, "it was down")
    assert "last ingest failed: it was down" in level(FIRST)[1]
    with pytest.raises(SettingsError, match="nothing is stored of series 'nosuch'"):
        status(service, ["nosuch"])
    assert (WELL, LOOK, ALARM) == (0, 1, 2)


class Silent(SimulatedSource):
    """A feed that answers, and has nothing."""

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:  # noqa: ARG002
        yield from ()


def test_a_new_series_whose_feed_has_nothing_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "simulated", Silent)  # type: ignore[arg-type]
    told = "source simulated has no demand of series simulated-feed between 2023-12-31 and 2024-03-01"
    with pytest.raises(SourceError, match=told):
        ingest(service, simulated(), FIRST)
