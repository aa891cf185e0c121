"""Temperatures of the coming days: as they may come, as they were forecast, as they came."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.models.analogs import Analogs

LEVEL_SHARE, WARM_STRETCH = 0.25, 1.2
"""A few years hold few seasons, and fewer heat waves: each path is shifted by a level of this share of the season's sd of daily
anomalies, and what departs to the warm side is stretched."""
OUTLOOK_ERROR_C, OUTLOOK_DAYS = 1.0, 10
"""Error sd of a weather forecast on its first day, and the lead at which it knows no more than the climatology."""


def weather_paths(
    analogs: Analogs,
    position: int,
    climate_c: Tensor,
    drift: Tensor,
    outlook_c: Tensor | None,
    sd_c: float,
    count: int,
    generator: np.random.Generator,
) -> Tensor:
    """Equally likely temperatures of the days from `position` on: what departed from the expected on days of past years that were
    like these, around what the last days, or a weather forecast, let expect now.

    Args:
        climate_c: of the coming days [days, slots].
        drift: how anomalies follow from the last days, see `Analogs.drift`.
        outlook_c: a weather forecast [days, slots], nan where it does not reach; None for none.
        sd_c: of anomalies, all the year.

    Returns:
        [paths, days, slots], C; the climate alone where no past is known.
    """
    last = analogs.lately(np.array([position]))[0]
    lately = None if bool(torch.isnan(last).any()) else last
    begins, spread_c = analogs.drawn(position, count, lately if outlook_c is None else None, generator)
    if not len(begins):
        return climate_c[None]
    expected = torch.zeros_like(climate_c) if lately is None else (lately @ drift).view(climate_c.shape)
    scatter = analogs.following(begins)
    level = LEVEL_SHARE * spread_c * torch.from_numpy(generator.standard_normal((len(begins), 1, 1)))
    departing = scatter - (analogs.lately(begins) @ drift).view(scatter.shape) + level
    path = climate_c + expected + _stretched(departing)
    if outlook_c is None:
        return path
    return torch.where(
        torch.isnan(outlook_c), path, outlook_c + _stretched(scatter + level) * outlook_error(sd_c, *climate_c.shape)
    )


def _stretched(departing_c: Tensor) -> Tensor:
    return torch.where(departing_c > 0, WARM_STRETCH * departing_c, departing_c)


def outlook_error(sd_c: float, days: int, slots: int) -> Tensor:
    """Error sd of a weather forecast as a share of the climatological sd: [days, slots]."""
    lead = (torch.arange(days * slots, dtype=torch.float64) + 1) / slots
    sd = max(sd_c, 1e-6)
    grown = OUTLOOK_ERROR_C + (sd - OUTLOOK_ERROR_C) * (lead - 1) / (OUTLOOK_DAYS - 1)
    return (grown.clamp(min=min(OUTLOOK_ERROR_C, sd), max=sd) / sd).view(days, slots)


def outlook(history: History, position: int, days: int) -> Tensor | None:
    """The weather forecast kept for an origin [days, slots], C, nan where it does not reach; None where none was kept."""
    kept = history.outlooks_c.get(position)
    if kept is None:
        return None
    found = torch.full((days, history.slots), torch.nan, dtype=torch.float64)
    shared = min(days, len(kept))
    found[:shared] = torch.from_numpy(kept[:shared])
    return found


def came(history: History, position: int, days: int) -> Tensor:
    """The temperatures that came [days, slots], C, nan where they have not yet.

    Raises:
        HistoryError: none has come.
    """
    known = None if history.temperature_c is None else history.temperature_c[position : position + days]
    if known is None or not len(known):
        first = history.days[0] + pd.Timedelta(days=position)
        raise HistoryError(
            f"temperatures of {history.series.series_id} from {first:%F} on have not come yet",
            "information W looks back only; ask for P or F",
        )
    found = torch.full((days, history.slots), torch.nan, dtype=torch.float64)
    found[: len(known)] = torch.from_numpy(known.copy())
    return found
