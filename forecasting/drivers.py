"""What moved a forecast: the calendar, the weather, and the level of the last days."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from forecasting.history import History
from forecasting.models.calendar_ridge import CalendarRidge, power

REFERENCE_DAYS = 28


@runtime_checkable
class WeatherWise(Protocol):
    """A forecaster that can tell what the weather adds."""

    def weather_mwh(self, history: History, position: int) -> np.ndarray:
        """Against the usual weather of the season [horizon_days], MWh."""
        ...


@dataclass(frozen=True)
class Drivers:
    """Parts of a forecast of whole days [leads], MWh. What they leave of the mean is the level.

    reference: the mean day of the last four weeks, as long as the target day. calendar: what weekday, holidays and time of the year
    say of the target against those weeks. weather: what a model that knows weather adds for it;
    None of others.
    """

    reference_mwh: np.ndarray
    calendar_mwh: np.ndarray
    weather_mwh: np.ndarray | None


def drivers(forecaster: object, history: History, leads: int) -> Drivers:
    """Of the days after a history."""
    recent = slice(max(0, len(history) - REFERENCE_DAYS), len(history))
    share = history.weights_and_after(leads)[-leads:].sum(axis=1) / history.slots
    full = power(history, whole_days=True)
    ridge = CalendarRidge.fit(history, full)
    expected = ridge.level.back(ridge.expected(history, leads))[:, 0].numpy()
    weather = None
    if isinstance(forecaster, WeatherWise):
        told = forecaster.weather_mwh(history, len(history))[:leads]
        weather = np.concatenate([told, np.zeros(leads - len(told))])
    return Drivers(full[recent].mean().item() * share, (expected[len(history) :] - expected[recent].mean()) * share, weather)
