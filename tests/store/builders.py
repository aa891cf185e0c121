"""Series, batches and model versions for store tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from forecasting.calendar import day_bounds
from forecasting.domain import Information, Quantity, Series
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.store import Store
from forecasting.store.forecasts import NewIssue
from forecasting.store.ingests import Added, IngestKind, Window
from forecasting.store.versions import ModelVersion, NewVersion, ScoreRow

HALF_HOUR = timedelta(minutes=30)
MELBOURNE = ZoneInfo("Australia/Melbourne")
START = datetime(2014, 1, 1, tzinfo=UTC)


def series(series_id: str = "vic", delay: timedelta = timedelta(0)) -> Series:
    return Series(
        series_id, "Victoria", "AU-VIC", "Australia/Melbourne", HALF_HOUR, "csv", simulated=False, publication_delay=delay
    )


def batch(values: dict[int, float], rejected: Sequence[tuple[str, dict[str, str]]] = ()) -> Batch:
    """Demand readings by number of half-hours after START."""
    starts = pd.DatetimeIndex([START + n * HALF_HOUR for n in sorted(values)], tz="UTC")
    return Batch(Quantity.DEMAND, readings_frame(starts, pd.array([values[n] for n in sorted(values)])), rejected_frame(rejected))


def merge(
    store: Store,
    of: Series,
    values: dict[int, float],
    as_of: float,
    since: float = 0,
    until: float | None = None,
    rejected: Sequence[tuple[str, dict[str, str]]] = (),
    kind: IngestKind = "daily",
) -> Added:
    """Store a delivery of a registered series, in half-hours after START."""
    store.ingests.clear_stage()
    key, delivered = store.readings.key(of), batch(values, rejected)
    store.ingests.stage(key, delivered)
    window = Window(at(since), at(as_of if until is None else until), at(as_of), kind)
    return store.ingests.merge(of, key, window, delivered.rows, states_known_at=False)


def at(half_hours: float) -> datetime:
    return START + half_hours * HALF_HOUR


def new_version(
    series_key: int, version: int = 1, as_of: datetime = START, *, contender: bool = True, key: str | None = None
) -> NewVersion:
    return NewVersion(
        series_key=series_key,
        resolution="daily",
        retrain_key=key or f"key {version}",
        as_of=as_of,
        model_name="fortnight-vic-daily",
        version=version,
        family="seq2seq_attention",
        information=Information.P,
        mlflow_run_id=f"run{version}",
        weights_sha256="a" * 64,
        card_sha256="b" * 64,
        history_sha256="c" * 64,
        history_start=START - timedelta(days=100),
        history_end=START,
        git_sha="d" * 40,
        contender=contender,
        reason="because",
    )


def add_version(store: Store, version: NewVersion, scores: Sequence[ScoreRow] = (), *, elected: bool = True) -> ModelVersion:
    """Record a retrain of one candidate."""
    return store.versions.add([version], scores, "because" if elected else None)


def score_row(forecaster: str, pinball_mwh: float, version: int | None = None) -> ScoreRow:
    return ScoreRow(forecaster, version, START.date(), START.date(), 10, pinball_mwh, pinball_mwh, 4.0, 0.8, 0.8)


ORIGIN = datetime(2014, 1, 1, 13, tzinfo=UTC)
"""A local midnight in Melbourne."""
QUANTILES = {
    "q01": 80.0,
    "q05": 85.0,
    "q10": 90.0,
    "q30": 95.0,
    "q50": 99.0,
    "q70": 103.0,
    "q90": 110.0,
    "q95": 115.0,
    "q99": 120.0,
}
PEAK = {"peak_q10_mw": 5.0, "peak_q50_mw": 6.0, "peak_q90_mw": 7.0}
DRIVERS = {"reference_mwh": 98.0, "calendar_mwh": 1.0, "weather_mwh": 0.5, "previous_model_mwh": None}


def forecast(leads: int = 14, origin: datetime = ORIGIN) -> pd.DataFrame:
    """A valid forecast frame of local days of Melbourne from an origin on."""
    first = origin.astimezone(MELBOURNE).date()
    bounds = [day_bounds(first + timedelta(days=k), MELBOURNE) for k in range(leads)]
    starts = [start for start, _ in bounds]
    return pd.DataFrame(
        {
            "lead": range(1, leads + 1),
            "target_start": starts,
            "target_end": [end for _, end in bounds],
            "mean": 100.0,
            **QUANTILES,
            **PEAK,
            "peak_start": starts,
            **DRIVERS,
        }
    )


def new_issue(version: ModelVersion, origin: datetime = ORIGIN, inputs: str = "inputs", **changed: Any) -> NewIssue:
    """An issue of a champion from sound data, six hours after its origin."""
    issue = NewIssue(
        series_key=version.series_key,
        resolution="daily",
        origin=origin,
        inputs_start=origin - timedelta(days=14),
        readings_as_of=origin + timedelta(hours=6),
        model_version_key=version.model_version_key,
        history_sha256="h",
        inputs_sha256=inputs,
        unit="MWh",
        leads=14,
        tier="champion",
        reason=None,
        feed_at_fault=None,
        age_days=0,
        git_sha="d" * 40,
        recipe={"since": "2012-01-01T00:00:00+00:00", "outlook_days": 0},
        weather_issued_at=None,
        previous_issue_id=None,
        plausible_min_mwh=10.0,
        plausible_max_mwh=1000.0,
    )
    return replace(issue, **changed)
