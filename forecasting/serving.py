"""A registered model as a function from a table of readings to a table of forecasts.

For `mlflow models serve` and for whoever loads a version by hand; production goes another way, with digests checked. Nothing but
the two plain files is read, so nothing in a registered model can run.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.artefact import CARD, WEIGHTS, Artefact, read, series_of
from forecasting.domain import Information
from forecasting.errors import HistoryError, WeightsError
from forecasting.history import MAX_FILLED_SHARE, History, clock_history, clock_temperature
from forecasting.predicting import forecast_frame
from forecasting.rows import MICROSECOND, moment_us, times_us

START, DEMAND, TEMPERATURE = "interval_start", "demand_mwh", "temperature_c"
REMEDY = f"send rows of {START} (ISO 8601, UTC unless an offset says otherwise), {DEMAND} and, where known, {TEMPERATURE}"


class Served:
    """A model of daily resolution that answers tables."""

    def __init__(self, artefact: Artefact) -> None:
        self.model, self.series = read(artefact), series_of(artefact)

    @classmethod
    def load(cls, folder: Path) -> "Served":
        """From the folder of a registered version.

        Raises:
            WeightsError: a file is missing, or see `artefact.read`.
        """
        try:
            return cls(Artefact((folder / WEIGHTS).read_bytes(), (folder / CARD).read_bytes()))
        except FileNotFoundError as error:
            raise WeightsError(f"{folder} has no {Path(error.filename).name}", "retrain") from None

    def predict(self, readings: pd.DataFrame) -> pd.DataFrame:
        """The days after the last whole one among the readings.

        Args:
            readings: columns interval_start (moments, or text in ISO 8601; without an offset it is UTC), demand_mwh (energy of the
                interval) and perhaps temperature_c, a row an interval of the series, in any order. A model made for information F
                takes temperatures after the last whole day as the weather forecast; their demand is left empty.

        Returns:
            see `predicting.forecast_frame`.

        Raises:
            HistoryError: the readings are not those of such a series, too few, or too full of holes.
        """
        return forecast_frame(self.model, self.history(readings))

    def history(self, readings: pd.DataFrame) -> History:
        """What a model may read of a table; see `predict`."""
        table = self._checked(readings)
        demand = table.dropna(subset=[DEMAND])
        if demand.empty:
            raise HistoryError(f"no row has {DEMAND}", REMEDY)
        warmth = table.dropna(subset=[TEMPERATURE]).rename(columns={TEMPERATURE: "value"})
        history = clock_history(demand.rename(columns={DEMAND: "value"}), self.series, warmth)
        layout = self.model.forecaster.layout
        holes = int(history.filled[-layout.past_days :].sum())
        if len(history) < layout.past_days or holes > MAX_FILLED_SHARE * layout.past_days:
            raise HistoryError(
                f"the readings hold {len(history)} consecutive days up to {history.days[-1]:%F}, {holes} of the newest with holes; "
                f"{self.model.family} reads {layout.past_days} days of {self.series.time_zone}",
                "send older readings too, every interval of them",
            )
        coming = warmth[warmth[START] >= history.origin]
        if layout.information is not Information.F or coming.empty:
            return history
        days = pd.date_range(history.days[-1] + pd.Timedelta(days=1), periods=layout.horizon_days, freq="D")
        return replace(history, outlooks_c={len(history): clock_temperature(coming, self.series, days)})

    def _checked(self, readings: pd.DataFrame) -> pd.DataFrame:
        """The three columns, times in UTC and on the grid of the series, each once."""
        missing = [name for name in (START, DEMAND) if name not in readings]
        if missing:
            raise HistoryError(f"column {missing[0]} is missing", REMEDY)
        try:
            starts = pd.to_datetime(readings[START], utc=True, format="ISO8601")
            demand, celsius = (pd.to_numeric(readings[name]) if name in readings else np.nan for name in (DEMAND, TEMPERATURE))
        except (ValueError, TypeError) as error:
            raise HistoryError(f"a value cannot be read: {str(error).splitlines()[0]}", REMEDY) from None
        table = pd.DataFrame({START: starts.dt.as_unit("us"), DEMAND: demand, TEMPERATURE: celsius}).astype({DEMAND: float})
        anchor = moment_us(calendar.grid_anchor(self.series.zone, self.series.interval))
        off = table[START].isna() | ((times_us(table[START]) - anchor) % (self.series.interval // MICROSECOND) != 0)
        for wrong, what in (
            (off, f"is not on the grid of {self.series.interval} of {self.series.series_id}"),
            (table[START].duplicated(), "is there twice"),
            (np.isinf(table[DEMAND]), f"has no finite {DEMAND}"),
        ):
            if wrong.any():
                raise HistoryError(f"{START} {readings[START][wrong].iloc[0]} {what}", "correct or leave out such rows")
        return table


def readings_of(history: History) -> pd.DataFrame:
    """A history as such a table: a row an interval of the grid in UTC. Where the clock shows an hour twice, both have its mean."""
    series = history.series
    anchor, begin = calendar.grid_anchor(series.zone, series.interval), history.start_of(0)
    first = anchor - ((anchor - begin) // series.interval) * series.interval
    starts = pd.date_range(first, history.origin, freq=series.interval, inclusive="left")
    shown, slots = calendar.clock_slots(starts, series.zone, series.interval)
    days = np.asarray((shown - history.days[0]) // pd.Timedelta(days=1), dtype=np.int64)
    table = pd.DataFrame({START: starts.strftime("%Y-%m-%dT%H:%M:%SZ"), DEMAND: history.demand_mwh[days, slots]})
    return table if history.temperature_c is None else table.assign(**{TEMPERATURE: history.temperature_c[days, slots]})
