"""Demand sources, one file each. A new source is one new file and one line in SOURCES.

A source turns its feed into batches; it neither stores nor judges them. Units are converted here, at the edge: demand leaves a
source as MWh per interval, temperature as degrees Celsius.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from pydantic import ValidationError

from forecasting.domain import Series
from forecasting.errors import SettingsError
from forecasting.frames import Batch
from forecasting.sources.aemo import AemoSource
from forecasting.sources.csv import CsvSource, CsvWeather
from forecasting.sources.eia import EiaSource
from forecasting.sources.entsoe import EntsoeSource
from forecasting.sources.open_meteo import OpenMeteoSource
from forecasting.sources.simulated import SimulatedSource, SimulatedWeather
from forecasting.sources.sql import SqlSource
from forecasting.sources.web import Web


class Source(Protocol):
    """What every source offers. It is built from the `options` of a series in the settings, and refuses ones it does not know."""

    simulated: ClassVar[bool]
    window: ClassVar[timedelta | None]
    """The longest stretch to ask for at once, which is then stored before the next is asked for; None for any length."""

    def __init__(self, web: Web, **options: Any) -> None: ...

    def read(self, series: Series, since: datetime, until: datetime) -> Iterable[Batch]:
        """Batches of at most CHUNK_ROWS rows each, of any quantity that the feed has, whose intervals start at `since` or later and
        end at `until` or earlier (UTC), forecasts excepted; a source may deliver more, which its caller leaves out.

        Args:
            series: the demand series for a demand source, its temperature companion for a weather source.

        Raises:
            SourceError: the feed cannot be read, or is not what it should be as a whole.
        """
        ...


SOURCES: Mapping[str, type[Source]] = {
    "aemo": AemoSource,
    "csv": CsvSource,
    "eia": EiaSource,
    "entsoe": EntsoeSource,
    "simulated": SimulatedSource,
    "sql": SqlSource,
}
"""Where demand comes from."""

WEATHER: Mapping[str, type[Source]] = {
    "csv": CsvWeather,
    "open-meteo": OpenMeteoSource,
    "simulated": SimulatedWeather,
}
"""Where temperature comes from, when not from the demand's own source."""


def open_source(
    name: str, series_id: str, options: Mapping[str, Any], web: Web, table: Mapping[str, type[Source]] = SOURCES
) -> Source:
    """The source of a series, from SOURCES or WEATHER.

    Raises:
        SettingsError: an unknown source, or options that it does not take.
    """
    kind = "source" if table is SOURCES else "weather source"
    try:
        return table[name](web, **options)
    except KeyError:
        raise SettingsError(f"series {series_id}: unknown {kind} {name!r}", f"use one of {', '.join(table)}") from None
    except ValidationError as error:
        first = min(error.errors(include_url=False, include_input=False), key=lambda told: told["type"] == "missing")
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"series {series_id}: {kind} {name} has no option {key!r}", "correct it in fortnight.toml; see the README"
            ) from None
        remedy = "give --path FILE" if key == "path" else "correct the series' options in fortnight.toml"
        raise SettingsError(f"series {series_id}: {kind} {name}, option {key}: {first['msg'].lower()}", remedy) from None
