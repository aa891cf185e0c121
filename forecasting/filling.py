"""Holes between readings, filled for models only: by a rule that stands on every filled row, and never with zeros.

A hole of at most two hours is a straight line between the readings beside it. In a longer one each reading takes the value of the
same local time a week before, or where there was none either, of the nearest earlier week that has one. What was not read for a
year stays a hole.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from forecasting.domain import Series

MEASURED, INTERPOLATED = "", "interpolated"
SHORT = timedelta(hours=2)
WEEKS = 52
ONE_WEEK = pd.Timedelta(weeks=1)


def fill_gaps(readings: pd.DataFrame, series: Series) -> pd.DataFrame:
    """Readings with the holes between them filled.

    Args:
        readings: columns `interval_start` (UTC, on the grid of the series, each once) and `value`, in any order.

    Returns:
        columns `interval_start`, `value`, and `filled`: MEASURED, or the rule; oldest first, measured values as they are.
    """
    given = pd.Series(readings["value"].to_numpy(dtype=float), pd.DatetimeIndex(readings["interval_start"])).sort_index()
    if given.empty:
        return readings.assign(filled=pd.Series(dtype=str))
    grid = pd.date_range(given.index[0], given.index[-1], freq=series.interval)
    value = given.reindex(grid)
    rule = pd.Series(MEASURED, grid, dtype=object)
    holes = value.isna()
    if holes.any():
        length = holes.groupby((~holes).cumsum()).transform("sum")
        short = holes & (length <= SHORT // series.interval)
        rule[short] = INTERPOLATED
        long = grid[(holes & ~short).to_numpy()]
        for weeks in range(1, WEEKS + 1):
            before = given.reindex(_weeks_before(long, weeks, series.zone))
            found = before.notna().to_numpy()
            value[long[found]] = before.to_numpy()[found]
            rule[long[found]] = f"same time {weeks} weeks before"
            long = long[~found]
            if long.empty:
                break
        value[short] = given.reindex(grid).interpolate()[short]
    kept = value.notna().to_numpy()
    return pd.DataFrame(
        {"interval_start": grid[kept].as_unit("us"), "value": value.to_numpy()[kept], "filled": rule.to_numpy()[kept].astype(str)}
    )


def _weeks_before(times: pd.DatetimeIndex, weeks: int, zone: ZoneInfo) -> pd.DatetimeIndex:
    """The same local time some weeks before; of a time that the clock shows twice the first, and NaT for one that it skipped."""
    local = times.tz_convert(zone).tz_localize(None) - weeks * ONE_WEEK
    return local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="NaT").tz_convert("UTC")
