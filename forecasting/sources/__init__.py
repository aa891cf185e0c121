"""Demand sources, one file each. A new source is one new file and one line in SOURCES.

A source turns its feed into batches; it neither stores nor judges them. Units are converted here, at the edge: demand leaves a
source as MWh per interval, temperature as degrees Celsius.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pydantic import ValidationError

from forecasting.domain import Series
from forecasting.errors import SettingsError
from forecasting.frames import Batch
from forecasting.sources.csv import CsvSource
from forecasting.sources.simulated import SimulatedSource


class Source(Protocol):
    """What every source offers. It is built from the `options` of a series in the settings, and refuses ones it does not know."""

    simulated: ClassVar[bool]

    def __init__(self, **options: Any) -> None: ...

    def read(self, series: Series, since: datetime, until: datetime) -> Iterable[Batch]:
        """Batches of readings whose intervals start at `since` or later and end at `until` or earlier (UTC).

        Raises:
            SourceError: the feed cannot be read, or is not what it should be as a whole.
        """
        ...


SOURCES: Mapping[str, type[Source]] = {
    "csv": CsvSource,
    "simulated": SimulatedSource,
}


def open_source(name: str, series_id: str, options: Mapping[str, Any]) -> Source:
    """The source of a series.

    Raises:
        SettingsError: an unknown source, or options that it does not take.
    """
    try:
        return SOURCES[name](**options)
    except KeyError:
        raise SettingsError(f"series {series_id}: unknown source {name!r}", f"use one of {', '.join(SOURCES)}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        remedy = "give --path FILE" if key == "path" else "correct the series' options in fortnight.toml"
        raise SettingsError(f"series {series_id}: source {name}, option {key}: {first['msg'].lower()}", remedy) from None
