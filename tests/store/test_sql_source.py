"""Readings from a query on another Postgres, against real servers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.domain import Quantity
from forecasting.frames import CHUNK_ROWS, Batch
from forecasting.sources.sql import SqlSource
from forecasting.sources.units import mwh_factor
from forecasting.sources.web import Web
from forecasting.store.database import connect
from tests.store.builders import START, at, series
from tests.store.meter import QUERY, Ask, asking, rejected, values

pytestmark = pytest.mark.one_server


@pytest.fixture
def ask(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    return asking(empty_dsn, monkeypatch)


def test_the_rows_of_the_stretch_are_read(ask: Ask) -> None:
    (batch,) = ask()
    assert batch.quantity is Quantity.DEMAND
    assert values([batch]) == {n: 1000.0 + n for n in range(50)}
    assert batch.readings.dtypes.astype(str).to_dict() == {"interval_start": "datetime64[us, UTC]", "value": "float64"}
    assert len(batch.rejected) == 0


def test_a_stretch_without_rows_is_no_batch(ask: Ask) -> None:
    assert ask(since=at(1000), until=at(1100)) == []


def test_a_query_that_gives_more_than_asked_is_cut(ask: Ask) -> None:
    found = values(ask("SELECT time, load FROM meter WHERE %(since)s < %(until)s", until=at(3.5)))
    assert found == {0: 1000, 1: 1001, 2: 1002}


def test_times_that_mark_the_end_of_an_interval(ask: Ask) -> None:
    assert values(ask(marks="end", until=at(4))) == {0: 1001, 1: 1002, 2: 1003, 3: 1004}


@pytest.mark.parametrize(
    ("unit", "mwh"), [("MWh", 1000), ("kWh", 1), ("GWh", 1_000_000), ("MW", 500), ("kW", 0.5), ("GW", 500_000)]
)
def test_units_are_converted_to_energy_of_the_interval(ask: Ask, unit: str, mwh: float) -> None:
    assert values(ask(unit=unit, until=at(1))) == {0: pytest.approx(mwh, rel=1e-15)}


def test_power_of_an_hour_and_of_a_quarter() -> None:
    assert [mwh_factor("MW", timedelta(minutes=minutes)) for minutes in (60, 15, 5)] == [1, 0.25, pytest.approx(1 / 12)]
    assert mwh_factor("kWh", timedelta(minutes=5)) == 1e-3


def test_a_scale_comes_before_the_unit(ask: Ask) -> None:
    assert values(ask(scale=0.1, unit="kWh", until=at(1))) == {0: pytest.approx(0.1)}


@pytest.mark.parametrize("kind", ["int2", "int4", "int8", "float4", "float8", "numeric", "numeric(9,2)"])
def test_numbers_of_every_type_are_read(ask: Ask, kind: str) -> None:
    found = ask(QUERY.replace("load", f"load::{kind} AS load"), until=at(2))
    assert values(found) == {0: 1000, 1: 1001}


def test_rows_without_time_or_value_are_rejected_and_the_rest_goes_on(ask: Ask) -> None:
    found = ask(
        "SELECT * FROM meter WHERE time IS NULL OR time >= %(since)s AND time < %(until)s OR time = 'infinity'",
        """CREATE TABLE meter (time timestamptz, load float8, known timestamptz);
        INSERT INTO meter VALUES ('2014-01-01 00:00Z', 1, '2014-01-02Z'), (NULL, 2, '2014-01-02Z'),
            ('2014-01-01 00:30Z', NULL, '2014-01-02Z'), ('2014-01-01 01:00Z', 3, NULL),
            ('infinity', 4, '2014-01-02Z'), ('2014-01-01 01:30Z', 5, '-infinity'), ('2014-01-01 02:00Z', 6, '2014-01-03Z')""",
    )
    assert values(found) == {0: 1, 4: 6}
    assert found[0].readings["known_at"].tolist() == [pd.Timestamp("2014-01-02", tz="UTC"), pd.Timestamp("2014-01-03", tz="UTC")]
    assert rejected(found) == [
        ("no time", '{"time": "", "value": "2.0"}'),
        ("no value", '{"time": "2014-01-01T00:30:00+00:00", "value": ""}'),
        ("no known_at", '{"time": "2014-01-01T01:00:00+00:00", "value": "3.0"}'),
        ("no time", '{"time": "", "value": "4.0"}'),
        ("no known_at", '{"time": "2014-01-01T01:30:00+00:00", "value": "5.0"}'),
    ]
    starts = found[0].rejected["interval_start"]
    assert [None if pd.isna(start) else start.strftime("%R") for start in starts] == [None, "00:30", "01:00", None, "01:30"]


@pytest.mark.parametrize("kind", ["float4", "float8", "numeric"])
def test_values_that_are_not_finite_are_handed_on_to_be_judged(ask: Ask, kind: str) -> None:
    found = ask(
        f"""SELECT timestamptz '2014-01-01Z' + n * interval '30 min', (ARRAY['NaN', 'Infinity', '-Infinity', '7'])[n + 1]::{kind}
        FROM generate_series(0, 3) AS n WHERE %(since)s < %(until)s""",
        setup="",
    )
    assert [str(value) for value in values(found).values()] == ["nan", "inf", "-inf", "7.0"]
    assert rejected(found) == []


def test_a_long_answer_comes_in_chunks_without_loss(ask: Ask) -> None:
    rows = 2 * CHUNK_ROWS + 7
    query = f"""SELECT %(since)s::timestamptz + n * interval '30 min', n::float8 FROM generate_series(0, {rows - 1}) AS n
        WHERE %(until)s::timestamptz IS NOT NULL"""
    batches = ask(query, setup="", until=at(rows))
    assert [batch.rows for batch in batches] == [CHUNK_ROWS, CHUNK_ROWS, 7]
    found = pd.concat([batch.readings for batch in batches])
    assert found["value"].tolist() == np.arange(rows).tolist()
    assert found["interval_start"].tolist() == pd.date_range(START, periods=rows, freq="30min").tolist()


def test_a_reader_who_stops_early_leaves_no_session_behind(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_DSN", empty_dsn)
    query = (
        "SELECT %(since)s::timestamptz + n * interval '30 min', n FROM generate_series(0, 500000) AS n WHERE %(until)s <> 'epoch'"
    )
    reading: Iterator[Batch] = SqlSource(Web(), dsn_env="METER_DSN", query=query).read(series(), START, at(10**6))
    assert next(reading).rows == CHUNK_ROWS
    reading.close()  # type: ignore[attr-defined]
    with connect(empty_dsn) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        for _ in range(100):
            if connection.execute(others).fetchone() == (0,):
                break
        else:
            pytest.fail("the session is still open")


def test_a_percent_sign_that_is_doubled_is_one(ask: Ask) -> None:
    assert values(ask(QUERY.replace("load", "load %% 7"), until=at(2))) == {0: 1000 % 7, 1: 1001 % 7}


def test_parameters_cannot_be_anything_but_times(ask: Ask) -> None:
    (batch,) = ask("SELECT %(since)s::timestamptz, extract(epoch FROM %(until)s::timestamptz - %(since)s) / 1800", setup="")
    assert values([batch]) == {0: 50}


def test_memory_does_not_grow_with_the_answer(empty_dsn: str) -> None:
    script = """
import resource, sys
from datetime import timedelta
from forecasting.sources.sql import SqlSource
from tests.store.builders import START, at, series
query = "SELECT %(since)s::timestamptz + n * interval '1s', n::numeric FROM generate_series(0, 999999) n WHERE %(until)s <> 'epoch'"
rows, peaks = 0, []
for batch in SqlSource(None, dsn_env="METER_DSN", query=query).read(series(), START, at(10**7)):
    rows += batch.rows
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(rows, peaks[2], peaks[-1])
"""
    environment = {**os.environ, "METER_DSN": empty_dsn, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    rows, early_mib, late_mib = map(int, done.stdout.split())
    assert rows == 1_000_000
    assert late_mib < early_mib + 30
