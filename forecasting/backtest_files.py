"""Forecasts of a backtest as the scoring protocol reads them, and weather forecasts for one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.backtest import HORIZON_DAYS, Backtest
from forecasting.domain import DAILY, LEVELS
from forecasting.errors import SettingsError
from forecasting.history import History, clock_temperature
from forecasting.predicting import column


def frame(backtest: Backtest) -> pd.DataFrame:
    """The forecasts as a table of origins and targets, as the scoring protocol reads it.

    Returns:
        origin and target: the last observed local date and the forecast one; or the starts of the last observed interval and of the
        forecast one (UTC). mean and a column for each of LEVELS: GWh a day, or MWh an interval.
    """
    history, origins = backtest.history, backtest.origins
    steps = backtest.actual.shape[1]
    if backtest.plan.resolution == DAILY:
        origin = history.days[origins - 1].repeat(steps).strftime("%Y-%m-%d")
        target = history.days_and_after(HORIZON_DAYS)[(origins[:, None] + np.arange(steps)).ravel()].strftime("%Y-%m-%d")
        unit = 1000.0
    else:
        starts = pd.DatetimeIndex([history.start_of(int(at)) for at in origins])
        interval = history.series.interval
        origin = (starts - interval).repeat(steps).strftime("%Y-%m-%dT%H:%M:%SZ")
        target = pd.DatetimeIndex(
            np.concatenate([pd.date_range(start, periods=steps, freq=interval) for start in starts]), tz="UTC"
        ).strftime("%Y-%m-%dT%H:%M:%SZ")
        unit = 1.0
    values = {"mean": backtest.model.mean.ravel()}
    values |= {column(level): backtest.model.quantiles[..., i].ravel() for i, level in enumerate(LEVELS)}
    return pd.DataFrame({"origin": origin, "target": target, **{name: each / unit for name, each in values.items()}})


def outlooks(path: Path, history: History) -> History:
    """The history with weather forecasts from a file: columns issued_at and valid_time (UTC), temperature_c.

    The day after a forecast's last one repeats it: two weeks of intervals reach an hour into a fifteenth day where clocks go
    forward.

    Raises:
        SettingsError: the file cannot be read as that.
    """
    try:
        table = pd.read_csv(path, usecols=["issued_at", "valid_time", "temperature_c"], parse_dates=["issued_at", "valid_time"])
        issued = pd.DatetimeIndex(table["issued_at"]).tz_convert(history.series.time_zone)
    except (OSError, ValueError, TypeError) as error:
        told = str(error).splitlines()[0]
        raise SettingsError(f"--weather {path}: {told}", "it needs issued_at, valid_time (UTC) and temperature_c") from None
    found = {}
    for moment, rows in table.groupby(issued):
        day = pd.Timestamp(moment).tz_localize(None)
        if day != day.normalize():
            raise SettingsError(f"--weather {path}: {moment} is no local midnight", "give one forecast for each origin")
        position = (day - history.days[0]).days
        coming = pd.date_range(day, periods=HORIZON_DAYS + 1, freq="D")
        readings = pd.DataFrame({"interval_start": rows["valid_time"], "value": rows["temperature_c"]})
        celsius = clock_temperature(readings, history.series, coming)
        celsius[-1] = np.where(np.isnan(celsius[-1]), celsius[-2], celsius[-1])
        found[position] = celsius
    return replace(history, outlooks_c=found)
