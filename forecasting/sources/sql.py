"""Demand from a query on another Postgres."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError
from forecasting.frames import Batch, readings_frame, rejected_frame
from forecasting.sources.units import Unit, mwh_factor
from forecasting.sources.web import Web
from forecasting.store.foreign import Answer, answers


class SqlOptions(BaseModel):
    """Where the database is, what to ask it, and what its numbers mean.

    The query gives interval_start (timestamptz), the value, and where it is known, known_at (timestamptz). Written as
    `WHERE time >= %(since)s AND time < %(until)s` it is asked for the right stretch whichever end of an interval `time` marks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dsn_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The environment variable that holds the DSN, which has a password in it and so belongs into no file of settings."""
    query: str
    unit: Unit = "MWh"
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """What to multiply the values by to have them in `unit`."""
    marks: Literal["start", "end"] = "start"
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0

    @field_validator("query")
    @classmethod
    def asks_for_a_stretch(cls, value: str) -> str:
        if not all(f"%({name})s" in value for name in ("since", "until")):
            raise ValueError("it must ask for a stretch of time with %(since)s and %(until)s")
        return value


class SqlSource:
    """The rows of a query. Rows without a time or a value are rejected; values are judged elsewhere."""

    simulated: ClassVar[bool] = False
    window: ClassVar[timedelta | None] = timedelta(days=366)

    def __init__(self, web: Web, **options: Any) -> None:  # noqa: ARG002 - built like every other source
        self.options = SqlOptions(**options)

    def read(self, series: Series, since: datetime, until: datetime) -> Iterator[Batch]:
        options = self.options
        dsn = os.environ.get(options.dsn_env)
        if not dsn:
            raise SettingsError(
                f"series {series.series_id}: environment variable {options.dsn_env} is not set",
                "set it to the DSN of the database, such as postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
            )
        shift = series.interval if options.marks == "end" else timedelta(0)
        asked = {"since": since + shift, "until": until + shift}
        factor = options.scale * mwh_factor(options.unit, series.interval)
        for answer in answers(dsn, options.query, asked, options.timeout_s):
            starts = answer.interval_start - shift
            outside = np.asarray((starts < pd.Timestamp(since)) | (starts > pd.Timestamp(until - series.interval)))
            yield _batch(answer, starts, outside, factor)


def _batch(answer: Answer, starts: pd.DatetimeIndex, outside: np.ndarray, factor: float) -> Batch:
    reasons = np.full(len(starts), "", dtype=object)
    for reason, broken in (  # the last that applies is told
        ("no known_at", False if answer.known_at is None else np.asarray(answer.known_at.isna())),
        ("no value", answer.is_null),
        ("no time", np.asarray(starts.isna())),
    ):
        reasons[broken & ~outside] = reason
    bad, good = reasons != "", ~outside & (reasons == "")
    rows = [
        (reason, {"time": "" if pd.isna(time) else time.isoformat(), "value": "" if is_null else repr(value)})
        for reason, time, value, is_null in zip(
            reasons[bad], answer.interval_start[bad], answer.value[bad].tolist(), answer.is_null[bad], strict=True
        )
    ]
    known_at = None if answer.known_at is None else answer.known_at[good]
    readings = readings_frame(starts[good], answer.value[good] * factor, known_at)
    return Batch(Quantity.DEMAND, readings, rejected_frame(rows, starts[bad]))
