"""One reading's way, from the source to what consumers see, with real files and servers."""

import csv
import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from forecasting.domain import parse_moment
from forecasting.jobs.daily import daily
from forecasting.jobs.history import known_history
from forecasting.jobs.publish import publish
from forecasting.service import Service, choose_series, demand_series, open_service
from forecasting.settings import SeriesSettings, Settings

NOW = datetime(2030, 1, 1, tzinfo=UTC)
"""The present of these tests; what lies between a replayed day and it may not be used."""

LAST_INTERVAL = "2013-12-31T12:30:00Z"  # 23:30 in Melbourne


def rows_of(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.reader(file))


def written(rows: list[list[str]], path: Path) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def given_of(settings: Settings, path: Path) -> SeriesSettings:
    return choose_series(settings, path=path)[0]


def run(service: Service, path: Path, as_of: str) -> SeriesSettings:
    given = given_of(service.settings, path)
    daily(service, given, parse_moment(as_of, demand_series(given).zone))
    return given


def test_a_reading_is_followed_to_the_forecast(settings: Settings, vic_csv: Path) -> None:
    with open_service(settings, NOW) as service:
        run(service, vic_csv, "2014-01-01")
        execute = service.store.connection.execute

        told = next(row for row in rows_of(vic_csv) if row[0] == LAST_INTERVAL)
        query = "SELECT value, known_at FROM published.demand_as_of(%s) WHERE interval_start = %s"
        start = datetime(2013, 12, 31, 12, 30, tzinfo=UTC)
        assert execute(query, (datetime(2013, 12, 31, 12, 59, tzinfo=UTC), start)).fetchall() == []
        assert execute(query, (datetime(2013, 12, 31, 13, tzinfo=UTC), start)).fetchall() == [
            (float(told[1]), datetime(2013, 12, 31, 13, tzinfo=UTC))
        ]

        rows = service.store.forecasts.latest("vic", "daily")
        assert [row.lead for row in rows] == list(range(1, 15))
        assert {(row.target_end - row.target_start).total_seconds() for row in rows} == {86400.0}
        assert rows[0].target_start == rows[0].origin == datetime(2013, 12, 31, 13, tzinfo=UTC)
        assert all(row.q10 <= row.q50 <= row.q90 and row.q10 < row.mean < row.q90 for row in rows)

        registry = service.registry
        assert registry.champion(rows[0].model_name) == rows[0].model_version
        artefact = registry.fetch(rows[0].mlflow_run_id)
        version = service.store.versions.by_number(rows[0].model_name, rows[0].model_version)
        assert version is not None
        assert hashlib.sha256(artefact.weights).hexdigest() == version.weights_sha256
        losses = execute("SELECT forecaster FROM fortnight.validation_score ORDER BY 1").fetchall()
        assert losses == [("candidate",), ("seq2seq_attention",), ("weekly_naive",)]


def test_the_same_day_twice_changes_nothing(settings: Settings, vic_csv: Path) -> None:
    counted = """
        SELECT (SELECT count(*) FROM fortnight.reading), (SELECT count(*) FROM fortnight.model_version),
               (SELECT count(*) FROM fortnight.forecast_issue), (SELECT count(*) FROM fortnight.forecast_value)
    """
    with open_service(settings, NOW) as service:
        run(service, vic_csv, "2014-01-01")
        once = service.store.connection.execute(counted).fetchone()
        run(service, vic_csv, "2014-01-01")
        assert service.store.connection.execute(counted).fetchone() == once
        assert once is not None
        assert once[1:] == (2, 1, 14)


def test_nothing_after_the_as_of_time_enters_a_forecast(settings: Settings, vic_csv: Path, folder: Path) -> None:
    rows = rows_of(vic_csv)
    noise = np.random.default_rng(0)
    altered = [
        row
        if row[0] <= LAST_INTERVAL or row[0] == "interval_start"
        else [row[0], f"{0.8 * float(row[1]) + noise.normal(0, 20):.3f}", row[2], row[3]]
        for row in rows
    ]
    forecasts = []
    with open_service(settings, NOW) as service:
        for path in (vic_csv, written(altered, folder / "altered.csv")):
            run(service, path, "2014-01-01")
            forecasts.append(service.store.forecasts.latest("vic", "daily"))
        assert forecasts[0] == forecasts[1], "the same history: nothing new was published"
        run(service, folder / "altered.csv", "2014-01-02")
        assert service.store.forecasts.latest("vic", "daily") != forecasts[0]


def test_a_correction_is_a_new_version_and_makes_a_new_forecast(settings: Settings, vic_csv: Path, folder: Path) -> None:
    corrected = [[row[0], f"{float(row[1]) + 300:.3f}", *row[2:]] if row[0] == LAST_INTERVAL else row for row in rows_of(vic_csv)]
    with open_service(settings, NOW) as service:
        given = run(service, vic_csv, "2014-01-01")
        first = service.store.forecasts.latest("vic", "daily")
        later = "2014-01-01T06:00+11:00"
        run(service, written(corrected, folder / "corrected.csv"), later)
        second = service.store.forecasts.latest("vic", "daily")
        assert second[0].origin == first[0].origin
        assert second[0].mean != first[0].mean

        series = demand_series(given)
        then = known_history(service, given, parse_moment("2014-01-01", series.zone))
        now = known_history(service, given, parse_moment(later, series.zone))
        assert now.energy_mwh[-1] > then.energy_mwh[-1] + 250
        assert (now.energy_mwh[:-1] == then.energy_mwh[:-1]).all()


def test_a_replayed_past_is_not_forecast_by_a_later_model(settings: Settings, vic_csv: Path) -> None:
    with open_service(settings, NOW) as service:
        given = run(service, vic_csv, "2014-06-01")
        newest = service.store.forecasts.latest("vic", "daily")[0].model_version
        run(service, vic_csv, "2014-01-01")
        series = demand_series(given)
        report = publish(service, given, parse_moment("2014-01-01", series.zone))
        assert report.version.as_of == parse_moment("2014-01-01", series.zone)
        assert service.registry.champion(report.version.model_name) == newest, "the alias stays with the newest knowledge"
        assert service.store.forecasts.latest("vic", "daily")[0].readings_as_of == parse_moment("2014-06-01", series.zone)


def test_an_alias_moved_by_hand_is_respected(settings: Settings, vic_csv: Path) -> None:
    with open_service(settings, NOW) as service:
        run(service, vic_csv, "2014-01-01")
        given = run(service, vic_csv, "2014-01-02")
        newest = service.store.forecasts.latest("vic", "daily")[0]
        other = newest.model_version + (1 if newest.model_version == 1 else -1)
        service.registry.move_champion(newest.model_name, other)
        publish(service, given, newest.readings_as_of)
        assert service.store.forecasts.latest("vic", "daily")[0].model_version == other


def test_the_readmes_queries_run(settings: Settings, vic_csv: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    block = readme.split("```sql\n")[1].split("```")[0]
    with open_service(settings, NOW) as service:
        run(service, vic_csv, "2014-01-01")
        answers = [service.store.connection.execute(query.encode()).fetchall() for query in block.split(";") if query.strip()]
    assert [len(rows) for rows in answers] == [2, 1, 0]
