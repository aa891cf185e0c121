"""Published forecasts: whole or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from forecasting.domain import Resolution
from forecasting.errors import PublishError, StoreError
from forecasting.store.database import Connection, statement

Tier = Literal["champion", "last_good", "weekly_naive"]
VALUES = (
    "lead", "target_start", "target_end", "mean", "q01", "q05", "q10", "q30", "q50", "q70", "q90", "q95", "q99",
    "peak_q10_mw", "peak_q50_mw", "peak_q90_mw", "peak_start", "reference_mwh", "calendar_mwh", "weather_mwh", "previous_model_mwh",
)  # fmt: skip
"""Columns of a forecast frame."""


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One row of `published.forecast_latest`; the columns are described in the database."""

    series_id: str
    resolution: str
    target_start: datetime
    target_end: datetime
    lead: int
    mean: float
    q10: float
    q50: float
    q90: float
    unit: str
    issued_at: datetime
    origin: datetime
    model_name: str | None
    model_version: int | None
    mlflow_run_id: str | None
    readings_as_of: datetime
    issue_id: int
    tier: Tier
    reason: str | None


@dataclass(frozen=True, slots=True)
class NewIssue:
    """What a forecast rests on: the model (none for weekly naive made on the spot), the readings from `inputs_start` to `origin` as
    known at `readings_as_of`, and the fingerprints of the whole history and of all inputs together. `recipe` is what else decides
    the numbers; a complete issue has `leads` leads between the plausible bounds."""

    series_key: int
    resolution: Resolution
    origin: datetime
    inputs_start: datetime
    readings_as_of: datetime
    model_version_key: int | None
    history_sha256: str
    inputs_sha256: str
    unit: str
    leads: int
    tier: Tier
    reason: str | None
    feed_at_fault: str | None
    age_days: int
    git_sha: str
    recipe: Mapping[str, Any]
    weather_issued_at: datetime | None
    previous_issue_id: int | None
    plausible_min_mwh: float
    plausible_max_mwh: float


@dataclass(frozen=True)
class Predecessor:
    """What an earlier version says of the first days from the same origin: quantiles [leads, 3], those at 0.1, 0.5 and 0.9, MWh."""

    model_version_key: int
    quantiles: np.ndarray


@dataclass(frozen=True, slots=True)
class StoredIssue:
    """An issue with all that it rests on. What belongs to a model is None where there was none; the recipe, of issues of old."""

    issue_id: int
    series_id: str
    series_name: str
    time_zone: str
    resolution: Resolution
    origin: datetime
    readings_as_of: datetime
    ready_at: datetime
    leads: int
    unit: str
    tier: Tier
    reason: str | None
    feed_at_fault: str | None
    age_days: int
    git_sha: str
    recipe: dict[str, Any] | None
    history_sha256: str
    weather_issued_at: datetime | None
    previous_issue_id: int | None
    inputs_start: datetime | None
    model_version_key: int | None
    model_name: str | None
    version: int | None
    family: str | None
    mlflow_run_id: str | None
    trained_as_of: datetime | None
    trained_git_sha: str | None
    weights_sha256: str | None
    card_sha256: str | None
    trained_from: datetime | None
    trained_until: datetime | None
    election: str | None
    promotion: str | None
    previous_version_key: int | None
    kept_leads: int


class Forecasts:
    """Rows of `forecast_issue`, `forecast_value` and `forecast_path`, and what consumers see of them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def publish(
        self,
        frame: pd.DataFrame,
        issue: NewIssue,
        paths: Sequence[np.ndarray] = (),
        predecessor: Predecessor | None = None,
        *,
        keep_paths_of: int = 1,
    ) -> int | None:
        """Make a forecast visible in one transaction, which proves it complete and tells whoever listens.

        Args:
            frame: columns VALUES.
            paths: of each lead [paths, intervals of the day], MWh an interval.
            keep_paths_of: how many newest issues of the series keep their paths.

        Returns:
            the issue's number; None where an issue was made of the same inputs before: nothing changes then.

        Raises:
            PublishError: a lead is missing or doubled, a value is not finite or not plausible, or quantiles cross. Nothing becomes
                visible.
        """
        remedy = "nothing was published; retrain, then publish again"
        parameters = {**{name: getattr(issue, name) for name in NewIssue.__slots__}, "recipe": Jsonb(dict(issue.recipe))}
        try:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                cursor.execute("SELECT fortnight.ensure_month(%s)", (issue.origin,))
                row = cursor.execute(statement("add_forecast_issue"), parameters).fetchone()
                if row is None:
                    return None
                number = int(str(row[0]))
                self._copy_values(cursor, number, issue.origin, frame)
                self._copy_paths(cursor, number, paths)
                if predecessor is not None:
                    self._add_predecessor(cursor, number, predecessor)
                cursor.execute("SELECT fortnight.make_ready(%s)", (number,))
                if len(paths):
                    cursor.execute(statement("drop_old_paths"), {**parameters, "kept": keep_paths_of})
        except (psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
            name, told = error.diag.constraint_name, error.diag.message_primary
            wrong = f"is not whole ({told})" if name == "issue_is_whole" else f"breaks {name or told}"
            raise PublishError(f"the forecast from {issue.origin:%F %H:%M}Z {wrong}", remedy) from None
        return number

    def _copy_values(self, cursor: psycopg.Cursor[tuple[object, ...]], number: int, origin: datetime, frame: pd.DataFrame) -> None:
        into = f"COPY fortnight.forecast_value (issue_id, origin, {', '.join(VALUES)}) FROM STDIN"
        with cursor.copy(into.encode()) as copy:
            for values in frame[list(VALUES)].itertuples(index=False):
                copy.write_row((number, origin, *(None if value is None else value for value in values)))

    def _copy_paths(self, cursor: psycopg.Cursor[tuple[object, ...]], number: int, paths: Sequence[np.ndarray]) -> None:
        if not len(paths):
            return
        with cursor.copy("COPY fortnight.forecast_path (issue_id, lead, values_mwh) FROM STDIN") as copy:
            for lead, values in enumerate(paths, start=1):
                copy.write_row((number, lead, values.astype(np.float32).round(3).tolist()))

    def _add_predecessor(self, cursor: psycopg.Cursor[tuple[object, ...]], number: int, predecessor: Predecessor) -> None:
        rows = [
            {"issue_id": number, "lead": lead, "key": predecessor.model_version_key, "q10": low, "q50": middle, "q90": high}
            for lead, (low, middle, high) in enumerate(predecessor.quantiles.tolist(), start=1)
        ]
        cursor.executemany(statement("add_predecessor_value"), rows)

    def made_of(self, series_key: int, resolution: Resolution, inputs_sha256: str) -> int | None:
        """The issue that was made of such inputs before."""
        parameters = {"series_key": series_key, "resolution": resolution, "inputs_sha256": inputs_sha256}
        row = self.connection.execute(statement("issue_of_inputs"), parameters).fetchone()
        return None if row is None else int(str(row[0]))

    def before(self, series_key: int, resolution: Resolution, as_of: datetime) -> tuple[int, int | None] | None:
        """The issue that consumers had before a moment, and the key of its model version."""
        parameters = {"series_key": series_key, "resolution": resolution, "as_of": as_of}
        row = self.connection.execute(statement("issue_before"), parameters).fetchone()
        return None if row is None else (int(str(row[0])), None if row[1] is None else int(str(row[1])))

    def told(self, issue_id: int) -> StoredIssue:
        """An issue by its number.

        Raises:
            StoreError: there is none.
        """
        with self.connection.cursor(row_factory=class_row(StoredIssue)) as cursor:
            found = cursor.execute(statement("issue_told"), {"issue_id": issue_id}).fetchone()
        if found is None:
            raise StoreError(f"there is no issue {issue_id}", "see the numbers: SELECT issue_id FROM published.issue")
        return found

    def ready_ids(self, series_ids: Sequence[str] = ()) -> list[int]:
        """Numbers of all issues, or of those of some series, oldest first."""
        rows = self.connection.execute(statement("ready_ids"), {"series_ids": list(series_ids)})
        return [int(str(row[0])) for row in rows]

    def values(self, issue: StoredIssue) -> pd.DataFrame:
        """Its frame, columns VALUES, of the leads that are kept."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(statement("issue_values"), {"issue_id": issue.issue_id, "origin": issue.origin}).fetchall()
        return pd.DataFrame(rows, columns=list(VALUES))

    def latest(self, series_id: str, resolution: Resolution) -> list[ForecastRow]:
        """`published.forecast_latest` of one series, by lead; empty before the first issue."""
        parameters = {"series_id": series_id, "resolution": resolution}
        with self.connection.cursor(row_factory=class_row(ForecastRow)) as cursor:
            return cursor.execute(statement("forecast_latest"), parameters).fetchall()
