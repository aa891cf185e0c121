"""Energy and power as feeds give them, to MWh of an interval."""

from datetime import timedelta
from typing import Literal

Unit = Literal["MWh", "kWh", "GWh", "MW", "kW", "GW"]

IN_MEGA: dict[Unit, float] = {"MWh": 1.0, "kWh": 1e-3, "GWh": 1e3, "MW": 1.0, "kW": 1e-3, "GW": 1e3}


def mwh_factor(unit: Unit, interval: timedelta) -> float:
    """What to multiply a value by to get the MWh of its interval; power is the interval's mean."""
    hours = 1.0 if unit.endswith("h") else interval / timedelta(hours=1)
    return IN_MEGA[unit] * hours
