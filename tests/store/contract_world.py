"""A small world for the contract: two years of half-hours in Melbourne with corrections and a hole, forecasts around both changes
of the clock, an operator's forecast, a fallback without a model; and the same as data frames."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import psycopg

from forecasting.domain import Quantity
from forecasting.store import Store
from tests.store.builders import HALF_HOUR, add_version, new_version, series

ZONE = ZoneInfo("Australia/Melbourne")
LEADS = 14
SHARES = {"q01": 0.8, "q05": 0.86, "q10": 0.9, "q30": 0.95, "q50": 1.0, "q70": 1.05, "q90": 1.1, "q95": 1.14, "q99": 1.2}
VALUES = (
    "issue_id", "origin", "lead", "target_start", "target_end", "mean", *SHARES, "peak_q10_mw", "peak_q50_mw", "peak_q90_mw",
    "peak_start", "reference_mwh", "calendar_mwh", "weather_mwh", "previous_model_mwh",
)  # fmt: skip
ISSUE = """
    INSERT INTO fortnight.forecast_issue
        (series_key, resolution, origin, readings_as_of, model_version_key, history_sha256, unit, leads, inputs_start,
         inputs_sha256, tier, reason, feed_at_fault, age_days, git_sha, weather_issued_at, previous_issue_id,
         plausible_min_mwh, plausible_max_mwh)
    VALUES (%(series_key)s, 'daily', %(origin)s, %(readings_as_of)s, %(model)s, 'h', 'MWh', %(leads)s, %(inputs_start)s, %(inputs)s,
            %(tier)s, %(reason)s, %(fault)s, 0, 'sha', %(origin)s, %(previous)s, 0, 1e6)
    RETURNING issue_id
"""


def midnight(day: pd.Timestamp | datetime | str) -> datetime:
    """Local midnight, in UTC."""
    return datetime.combine(pd.Timestamp(day).date(), datetime.min.time(), ZONE).astimezone(UTC)


@dataclass
class World:
    """What was stored. Readings: interval_start, value, known_at. Values: as stored, with the issue's facts beside them."""

    dsn: str
    readings: pd.DataFrame = field(default_factory=pd.DataFrame)
    operator: pd.DataFrame = field(default_factory=pd.DataFrame)
    values: pd.DataFrame = field(default_factory=pd.DataFrame)
    paths: dict[int, list[np.ndarray]] = field(default_factory=dict)


def build(store: Store, dsn: str) -> World:
    store.readings.register(series())
    rival = series().companion(Quantity.DEMAND_FORECAST)
    store.readings.register(rival)
    random = np.random.default_rng(1)
    world = World(dsn)
    starts = pd.date_range(midnight("2013-01-01"), midnight("2014-11-10"), freq="30min", inclusive="left")
    first = pd.DataFrame({"interval_start": starts, "value": 2000 + 300 * random.standard_normal(len(starts))})
    first["known_at"] = first["interval_start"] + HALF_HOUR
    first = first.drop(index=first.index[first["interval_start"] == pd.Timestamp(midnight("2014-04-02")) + 5 * HALF_HOUR])
    later = first.iloc[::97].assign(
        value=lambda frame: frame["value"] * 1.3, known_at=lambda frame: frame["known_at"] + timedelta(days=3)
    )
    last = later.iloc[::5].assign(
        value=lambda frame: frame["value"] * 0.7, known_at=lambda frame: frame["known_at"] + timedelta(days=9)
    )
    world.readings = pd.concat([first, later, last], ignore_index=True)
    operator = pd.DataFrame({"interval_start": starts, "value": 1950 + 200 * random.standard_normal(len(starts))})
    local_day = operator["interval_start"].dt.tz_convert(ZONE).dt.normalize().dt.tz_convert(UTC)
    world.operator = operator.assign(known_at=local_day - timedelta(hours=12))
    _store_readings(store, store.readings.key(series()), world.readings)
    _store_readings(store, store.readings.key(rival), world.operator)
    days = [*pd.date_range("2014-03-25", "2014-04-12"), *pd.date_range("2014-09-25", "2014-10-10")]
    key = store.readings.key(series())
    versions = [add_version(store, new_version(key, number)).model_version_key for number in (1, 2)]
    frames, previous = [], None
    for number, day in enumerate(days):
        fallback = number == 5
        model = None if fallback else versions[number % 2 if number > 20 else 0]
        frame = publish_issue(store, world, key, midnight(day), model, previous, random)
        previous = int(frame["issue_id"].iloc[0])
        frames.append(frame)
    world.values = pd.concat(frames, ignore_index=True)
    return world


def _store_readings(store: Store, key: int, readings: pd.DataFrame) -> None:
    with (
        store.connection.cursor() as cursor,
        cursor.copy("COPY fortnight.reading (series_key, interval_start, known_at, ingest_run_id, value) FROM STDIN") as copy,
    ):
        for row in readings.itertuples():
            copy.write_row((key, row.interval_start, row.known_at, 1, row.value))


def publish_issue(
    store: Store,
    world: World,
    key: int,
    origin: datetime,
    model: int | None,
    previous: int | None,
    random: np.random.Generator,
    *,
    draws: int = 20,
) -> pd.DataFrame:
    """Publish one issue with the statements of the service; its rows come back."""
    local = pd.Timestamp(origin).tz_convert(ZONE)
    ends = [midnight(local.date() + timedelta(days=n)) for n in range(LEADS + 1)]
    mean = 96000 + 6000 * random.standard_normal(LEADS)
    facts: dict[str, Any] = {
        "series_key": key, "origin": origin, "readings_as_of": origin + timedelta(hours=6), "model": model, "leads": LEADS,
        "inputs_start": origin - timedelta(days=14), "inputs": f"{origin}", "tier": "champion" if model else "weekly_naive",
        "reason": None if model else "no model", "fault": None if model else "registry", "previous": previous,
    }  # fmt: skip
    with store.transaction(), store.connection.cursor() as cursor:
        cursor.execute("SELECT fortnight.ensure_month(%s)", (origin,))
        row = cursor.execute(ISSUE, facts).fetchone()
        assert row is not None
        number = int(str(row[0]))
        frame = pd.DataFrame(
            {
                "issue_id": number, "origin": origin, "lead": range(1, LEADS + 1), "target_start": ends[:-1],
                "target_end": ends[1:], "mean": mean, **{name: mean * share for name, share in SHARES.items()},
                "peak_q10_mw": mean / 22, "peak_q50_mw": mean / 20, "peak_q90_mw": mean / 18,
                "peak_start": [start + timedelta(hours=18) for start in ends[:-1]], "reference_mwh": 90000.0,
                "calendar_mwh": 500 * random.standard_normal(LEADS), "weather_mwh": 900 * random.standard_normal(LEADS),
                "previous_model_mwh": mean + 100 * random.standard_normal(LEADS),
            }
        )  # fmt: skip
        with cursor.copy(f"COPY fortnight.forecast_value ({', '.join(VALUES)}) FROM STDIN".encode()) as copy:
            for values in frame[list(VALUES)].itertuples(index=False):
                copy.write_row(values)
        lengths = [(end - start) / HALF_HOUR for start, end in itertools.pairwise(ends)] if draws else []
        paths = [random.gamma(4, 500, size=(draws, int(half_hours))).round(3) for half_hours in lengths]
        for lead, path in enumerate(paths, start=1):
            cursor.execute("INSERT INTO fortnight.forecast_path VALUES (%s, %s, %s::real[])", (number, lead, path.tolist()))
        cursor.execute("SELECT fortnight.make_ready(%s)", (number,))
    world.paths[number] = paths
    return frame.assign(model=model, tier=facts["tier"], readings_as_of=facts["readings_as_of"], previous=previous)


def daily(readings: pd.DataFrame, *, first: bool) -> pd.Series:
    """Energy of whole local days by date: of the first or the newest version of each interval."""
    one = readings.sort_values(["interval_start", "known_at"]).drop_duplicates("interval_start", keep="first" if first else "last")
    days = one.groupby(one["interval_start"].dt.tz_convert(ZONE).dt.date)["value"].agg(["sum", "count"])
    hours = [(midnight(day + timedelta(days=1)) - midnight(day)) / timedelta(hours=1) for day in days.index]
    return days["sum"][days["count"] * 0.5 == hours]


def ask(dsn: str, query: str, parameters: Any = None) -> pd.DataFrame:
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(query.encode(), parameters)
        assert cursor.description is not None
        return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
