"""A database of every earlier schema, with data in it, becomes one of today, and consumers go on reading."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from forecasting.store import Store, schema
from forecasting.store.database import connect

SERIES = """
    INSERT INTO fortnight.series
        (series_id, name, region, time_zone, quantity, unit, interval_length, publication_delay, source, simulated)
    VALUES ('vic', 'Victoria', 'AU-VIC', 'Australia/Melbourne', 'demand', 'MWh', '30 minutes', '0', 'csv', false)
"""
RUN = """
    INSERT INTO fortnight.ingest_run
        (series_key, source, as_of, window_start, window_end, rows_read, rows_new, rows_corrected, rows_quarantined)
    VALUES (1, 'csv', '2014-01-02Z', '2014-01-01Z', '2014-01-02Z', 48, 48, 0, 0)
"""
READINGS = """
    INSERT INTO fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value)
    SELECT 1, t, t + interval '30 minutes', 1, 100
    FROM generate_series('2014-01-01Z', '2014-01-01 23:30Z', interval '30 minutes') AS t
"""
VERSION = """
    INSERT INTO fortnight.model_version
        (series_key, resolution, retrain_key, as_of, model_name, version, family, mlflow_run_id, weights_sha256, card_sha256,
         history_sha256, git_sha, {promoted} reason)
    VALUES (1, 'daily', 'k', '2014-01-01 13:00Z', 'fortnight-vic-daily', 1, 'weekly_naive', 'run', repeat('a', 64), repeat('b', 64),
            'h', 'g', {true} 'because')
"""
PROMOTION = """
    INSERT INTO fortnight.promotion (series_key, resolution, model_version_key, kind, as_of, reason)
    VALUES (1, 'daily', 1, 'elected', '2014-01-01 13:00Z', 'because')
"""
ISSUE = """
    INSERT INTO fortnight.forecast_issue
        (series_key, resolution, origin, readings_as_of, model_version_key, history_sha256, unit, leads)
    VALUES (1, 'daily', '2014-01-01 13:00Z', '2014-01-01 19:00Z', 1, 'h', 'MWh', 14)
"""
VALUES = """
    INSERT INTO fortnight.forecast_value (issue_id, lead, target_start, target_end, mean, q10, q50, q90)
    SELECT 1, n, '2014-01-01 13:00Z'::timestamptz + (n - 1) * interval '1 day',
           '2014-01-01 13:00Z'::timestamptz + n * interval '1 day',
           100, 90, 99, 110
    FROM generate_series(1, 14) AS n
"""
ALERT = """
    INSERT INTO fortnight.alert (series_key, rule, opened_as_of, message)
    VALUES (1, 'validation_loss_drift', '2014-01-01Z', 'drifting')
"""


@contextmanager
def at_revision(dsn: str, revision: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The database as that revision left it."""
    config = Config()
    config.set_main_option("script_location", "forecasting.store:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with connect(dsn) as opened:
        yield opened


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_an_older_database_keeps_all_it_has(empty_dsn: str, revision: str) -> None:
    promoted = revision < "0003"
    with at_revision(empty_dsn, revision) as connection:
        for statement in (SERIES, RUN, READINGS, VERSION.format(**_promoted(promoted)), ISSUE, VALUES, ALERT):
            connection.execute(statement.encode())
        if not promoted:
            connection.execute(PROMOTION.encode())
    with Store(empty_dsn) as store:
        assert schema.current(store.connection) == schema.head()
        rows = store.forecasts.latest("vic", "daily")
        assert [row.lead for row in rows] == list(range(1, 15))
        assert {(row.mean, row.q10, row.q90, row.tier, row.model_version) for row in rows} == {(100.0, 90.0, 110.0, "champion", 1)}
        told = store.forecasts.told(1)
        assert (told.recipe, told.kept_leads) == (None, 14)
        counted = store.connection.execute("SELECT count(*), sum(value) FROM fortnight.reading").fetchone()
        assert counted == (48, 4800.0)
        (episode,) = store.alerts.listed(resolved_after=rows[0].issued_at)
        assert (episode.finding.rule, episode.finding.series_id, episode.state) == ("validation_loss_drift", "vic", "firing")
        champion = store.versions.champion(1, "daily", rows[0].issued_at)
        assert champion is not None
        assert champion.version == 1


def _promoted(promoted: bool) -> dict[str, str]:
    return {"promoted": "promoted," if promoted else "", "true": "true," if promoted else ""}
