"""Published forecasts: whole or not at all."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import psycopg
from psycopg.rows import class_row

from forecasting.domain import Resolution
from forecasting.errors import PublishError
from forecasting.store.database import Connection, statement
from forecasting.store.versions import ModelVersion


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
    model_name: str
    model_version: int
    mlflow_run_id: str
    readings_as_of: datetime


@dataclass(frozen=True, slots=True)
class NewIssue:
    """What a forecast rests on: the model, the readings from `inputs_start` to `origin` as known at `readings_as_of`, and the
    fingerprint of the whole history. A complete one has `leads` leads."""

    version: ModelVersion
    origin: datetime
    inputs_start: datetime
    readings_as_of: datetime
    history_sha256: str
    unit: str
    leads: int


class Forecasts:
    """Rows of `forecast_issue` and `forecast_value`, and what consumers see of them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def publish(self, forecast: pd.DataFrame, issue: NewIssue) -> bool:
        """Make a forecast visible in one transaction that first proves it complete.

        Args:
            forecast: columns lead, target_start, target_end, mean, q10, q50, q90, as `predicting.forecast_frame` makes it.

        Returns:
            False where the same model has published from the same history before: nothing changes then.

        Raises:
            PublishError: a lead is missing or doubled, a value is not finite, or quantiles cross. Nothing becomes visible.
        """
        remedy = "nothing was published; retrain, then publish again"
        try:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                parameters = {
                    **{name: getattr(issue, name) for name in NewIssue.__slots__ if name != "version"},
                    "series_key": issue.version.series_key,
                    "resolution": issue.version.resolution,
                    "model_version_key": issue.version.model_version_key,
                }
                row = cursor.execute(statement("add_forecast_issue"), parameters).fetchone()
                if row is None:
                    return False
                columns = ("lead", "target_start", "target_end", "mean", "q10", "q50", "q90")
                with cursor.copy(
                    "COPY fortnight.forecast_value (issue_id, lead, target_start, target_end, mean, q10, q50, q90) FROM STDIN"
                ) as copy:
                    for values in forecast[list(columns)].itertuples(index=False):
                        copy.write_row((row[0], *values))
                wrong = cursor.execute(statement("incomplete_issue"), {"issue_id": row[0]}).fetchone()
                if wrong is None or wrong[0] is not None:
                    raise PublishError(f"the forecast from {issue.origin:%F %H:%M}Z is incomplete ({wrong and wrong[0]})", remedy)
        except (psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation) as error:
            raise PublishError(f"the forecast from {issue.origin:%F %H:%M}Z breaks {error.diag.constraint_name}", remedy) from None
        return True

    def latest(self, series_id: str, resolution: Resolution) -> list[ForecastRow]:
        """`published.forecast_latest` of one series, by lead; empty before the first issue."""
        parameters = {"series_id": series_id, "resolution": resolution}
        with self.connection.cursor(row_factory=class_row(ForecastRow)) as cursor:
            return cursor.execute(statement("forecast_latest"), parameters).fetchall()
