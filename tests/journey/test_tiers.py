"""Whatever is down or damaged: there is a forecast of two weeks from today, and it says what is wrong with it."""

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from forecasting.artefact import CARD, WEIGHTS
from forecasting.domain import parse_moment
from forecasting.errors import FortnightError, HistoryError
from forecasting.jobs.daily import daily
from forecasting.jobs.ingest import ingest
from forecasting.jobs.lineage import verify
from forecasting.jobs.publish import PublishReport, publish
from forecasting.jobs.retrain import retrain
from forecasting.service import Service, choose_series, demand_series, open_service
from forecasting.settings import SeriesSettings, Settings
from tests.journey.test_reading_to_forecast import NOW, rows_of, written

CANDIDATES = ("weekly_naive", "two_stage_ridge")


@pytest.fixture
def given(settings: Settings, vic_csv: Path) -> SeriesSettings:
    return choose_series(settings, path=vic_csv)[0]


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Candidates that need no epochs."""
    return settings.model_copy(update={"model": settings.model.model_copy(update={"candidates": CANDIDATES})})


def at(given: SeriesSettings, text: str) -> datetime:
    return parse_moment(text, demand_series(given).zone)


def seen(service: Service) -> list[tuple[object, ...]]:
    query = "SELECT tier, feed_at_fault, age_days, leads, reason FROM fortnight.forecast_issue ORDER BY issue_id DESC LIMIT 1"
    return service.store.connection.execute(query).fetchall()


def covers_two_weeks(report: PublishReport, as_of: datetime) -> bool:
    last = report.forecast["target_end"].max()
    return bool((last - as_of).days == 14)


def assert_verified(service: Service, report: PublishReport) -> None:
    (verified,) = verify(service, [report.issue_id])
    assert verified.identical, verified


def test_sound_data_and_a_champion_need_no_excuse(quick: Settings, given: SeriesSettings) -> None:
    with open_service(quick, NOW) as service:
        daily(service, given, at(given, "2014-06-01"))
        assert seen(service) == [("champion", None, 0, 14, None)]


def test_mlflow_down_before_the_first_champion(quick: Settings, given: SeriesSettings) -> None:
    down = quick.model_copy(update={"mlflow_tracking_uri": type(quick.database_url)("http://127.0.0.1:1")})
    first = at(given, "2014-06-01")
    with open_service(down, NOW) as service:
        with pytest.raises(FortnightError, match="MLflow"):
            daily(service, given, first)
        ((tier, feed, age, leads, reason),) = seen(service)
        assert (tier, feed, age, leads) == ("weekly_naive", "model", 0, 14)
        assert "there is no champion yet" in str(reason)
    with open_service(quick, NOW) as service:
        daily(service, given, first)
        assert seen(service)[0][0] == "champion"


@pytest.mark.parametrize("name", [WEIGHTS, CARD])
def test_tampered_files_are_not_used(quick: Settings, given: SeriesSettings, name: str) -> None:
    first, second = at(given, "2014-06-01"), at(given, "2014-06-02")
    with open_service(quick, NOW) as service:
        for moment in (first, second):
            daily(service, given, moment)
        (newest,) = service.store.versions.champions(service.store.readings.key(demand_series(given)), "daily", second, 1)
        for path in (quick.home / "mlflow").rglob(name):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        with_copy = publish(service, given, at(given, "2014-06-03"))
        assert (with_copy.tier, with_copy.version) == ("champion", newest)
        assert name in str(with_copy.reason)
        column = "weights" if name == WEIGHTS else "card"
        damage = f"UPDATE fortnight.model_file SET {column} = set_byte({column}, 9, 0) WHERE model_version_key = %s"
        service.store.connection.execute(damage.encode(), (newest.model_version_key,))
        report = publish(service, given, at(given, "2014-06-04"))
        assert report.tier == "last_good"
        assert report.version is not None
        assert report.version.version != newest.version
        assert f"version {newest.version} cannot be used ({name} has digest" in str(report.reason)
        service.store.connection.execute("DELETE FROM fortnight.model_file")
        shutil.rmtree(quick.home / "mlflow" / "artifacts")
        report = publish(service, given, at(given, "2014-06-05"))
        assert (report.tier, report.version) == ("weekly_naive", None)
        assert_verified(service, report)


def test_late_readings_make_a_longer_forecast_with_wider_bands(quick: Settings, given: SeriesSettings) -> None:
    with open_service(quick, NOW) as service:
        daily(service, given, at(given, "2014-06-01"))
        widths = {}
        for day, tier in (("2014-06-01", "champion"), ("2014-06-05", "champion"), ("2014-06-20", "weekly_naive")):
            report = publish(service, given, at(given, day))
            assert report.tier == tier
            assert covers_two_weeks(report, at(given, day))
            coming = report.forecast.tail(14)
            widths[day] = float((coming["q90"] - coming["q10"]).mean())
            assert_verified(service, report)
        assert seen(service)[0][1:4] == ("demand", 19, 33)
        assert widths["2014-06-01"] < widths["2014-06-05"] < widths["2014-06-20"]
        with pytest.raises(HistoryError, match="75 days before the as-of time"):
            publish(service, given, at(given, "2014-08-15"))


def test_holes_are_told_and_widen_the_bands(quick: Settings, vic_csv: Path, folder: Path) -> None:
    def holed(days: range) -> SeriesSettings:
        rows = [row for row in rows_of(vic_csv) if row[0][:10] not in {f"2014-05-{day:02d}" for day in days}]
        return choose_series(quick, path=written(rows, folder / f"holed{days.start}.csv"))[0]

    sound = choose_series(quick, path=vic_csv)[0]
    moment = at(sound, "2014-06-01")
    with open_service(quick, NOW) as service:
        daily(service, sound, at(sound, "2014-05-15"))
        given = holed(range(27, 29))
        ingest(service, given, moment)
        report = publish(service, given, moment)
        assert (report.tier, report.version is not None) == ("champion", True)
        assert "recent days are missing" in str(report.reason)
        assert_verified(service, report)
        widened = report.forecast["q90"] - report.forecast["q10"]
        ingest(service, sound, moment)
        whole = publish(service, sound, moment).forecast
        assert (widened > whole["q90"] - whole["q10"]).any()


def test_missing_temperatures_are_told_and_widen_the_bands(quick: Settings, vic_csv: Path, folder: Path) -> None:
    flagship = quick.model_copy(update={"model": quick.model.model_copy(update={"candidates": ("weekly_naive", "weather_paths")})})
    rows = [[*row[:2], "", row[3]] if row[0] >= "2014-05-28" and row[0] != "interval_start" else row for row in rows_of(vic_csv)]
    moment = at(choose_series(quick, path=vic_csv)[0], "2014-06-01")
    widths = {}
    with open_service(flagship, NOW) as service:
        sound = choose_series(flagship, path=vic_csv)[0]
        blind = choose_series(flagship, path=written(rows, folder / "blind.csv"))[0]
        ingest(service, blind, moment)
        retrain(service, blind, moment)
        for given in (blind, sound):
            ingest(service, given, moment)
            report = publish(service, given, moment)
            assert report.tier == "champion"
            first = report.forecast.iloc[0]
            widths[report.reason] = float(first["q90"] - first["q10"])
            assert_verified(service, report)
    blinded, well = widths
    assert well is None
    assert "temperatures of 4 recent days are missing" in str(blinded)
    assert widths[blinded] > widths[well]
