"""Composition root: settings become the parts that jobs work with, opened and closed in one place."""

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from forecasting.calendar import public_holidays
from forecasting.domain import Quantity, Series
from forecasting.errors import SettingsError
from forecasting.settings import CHECKOUT, SeriesSettings, Settings
from forecasting.sources import SOURCES, WEATHER, Source, open_source
from forecasting.sources.web import Web
from forecasting.store import Store
from forecasting.store.database import explained

if TYPE_CHECKING:
    from forecasting.registry import Registry


SERVED = "FORTNIGHT_SERVED"
"""Environment variable of the parts of `fortnight serve`."""


@dataclass(frozen=True)
class Feed:
    """A source and the series that it feeds: the primary one, by which its progress is measured, and its companions."""

    source: Source
    primary: Series
    companions: tuple[Series, ...]
    may_be_negative: bool

    def series(self, quantity: Quantity) -> Series | None:
        """The series that takes a quantity; None where another feed gives it."""
        return next((series for series in (self.primary, *self.companions) if series.quantity is quantity), None)


@dataclass(frozen=True)
class Service:
    """The open parts. MLflow and the way to feeds are opened when first needed.

    `now` is the moment at which the work began: nothing can have been measured after it. `run_id` is that of the run which the work
    belongs to; None where nothing is written down about it.
    """

    settings: Settings
    store: Store
    now: datetime
    run_id: UUID | None = None

    @cached_property
    def web(self) -> Web:
        return Web(self.settings.web, self.settings.home / "http")

    def feeds(self, given: SeriesSettings, web: Web | None = None) -> list[Feed]:
        """Where the readings of a series come from: demand first, then weather if it has a source of its own.

        Args:
            web: another way to them than the patient one of the service.

        Raises:
            SettingsError: an unknown source, or options that it does not take.
        """
        demand = demand_series(given)
        weather = [] if given.weather is None else [temperature_series(given)]
        companions = [Quantity.DEMAND_FORECAST, Quantity.HOLIDAY]
        companions += [] if weather else [Quantity.TEMPERATURE, Quantity.TEMPERATURE_FORECAST]
        source = open_source(given.source, given.id, given.options, web or self.web)
        feeds = [Feed(source, demand, tuple(demand.companion(quantity) for quantity in companions), given.may_be_negative)]
        for temperature in weather:
            assert given.weather is not None
            source = open_source(given.weather.source, given.id, given.weather.options, web or self.web, WEATHER)
            forecast = temperature.companion(Quantity.TEMPERATURE_FORECAST)
            feeds.append(Feed(source, temperature, (forecast,), may_be_negative=True))
        return feeds

    @cached_property
    def registry(self) -> "Registry":
        from forecasting.registry import Registry  # a heavy import that ingest and watch do without

        uri = self.settings.mlflow_tracking_uri
        return Registry(self.settings.home, uri.get_secret_value() if uri else None)

    def picture(self, series: Series, origin: datetime, issue_id: int) -> Path:
        """Where the picture of an issue lies, named by its first day."""
        return self.settings.home / "pictures" / f"{series.series_id}-{origin.astimezone(series.zone):%F}-issue-{issue_id}.png"

    @cached_property
    def git_sha(self) -> str:
        return code_version(self.settings)


def code_version(settings: Settings) -> str:
    """What code runs: the commit of the checkout, or the version of the installed package."""
    if settings.git_sha:
        return settings.git_sha
    if (CHECKOUT / ".git").exists() and (git := shutil.which("git")):
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [git, "-C", str(CHECKOUT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return done.stdout.strip()
    return f"fortnight {version('fortnight')}"


@contextmanager
def open_service(settings: Settings, now: datetime, run_id: UUID | None = None) -> Iterator[Service]:
    """Connect to the database (starting the embedded one where no URL is set) and bring its schema up to date."""
    url = database_url(settings)
    with explained(url), Store(url) as store:
        yield Service(settings, store, now, run_id)


def database_url(settings: Settings) -> str:
    """The DSN: FORTNIGHT_DATABASE_URL, or that of the embedded server, which is started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from forecasting.store import embedded

    if os.environ.get(SERVED):  # started by a part of its own: a part that dies late must not bring it back
        return embedded.await_running(settings.home)
    return embedded.ensure_running(settings.home)


def demand_series(given: SeriesSettings) -> Series:
    """The series that a settings entry describes.

    Raises:
        SettingsError: an unknown source or region; an id that hides, or feigns, that the series is simulated.
    """
    if given.source not in SOURCES:
        raise SettingsError(f"series {given.id}: unknown source {given.source!r}", f"use one of {', '.join(SOURCES)}")
    if given.id.startswith("simulated") != SOURCES[given.source].simulated:
        raise SettingsError(
            f"series {given.id} of source {given.source} has a misleading id",
            "let the ids of simulated series, and of no others, begin with 'simulated'",
        )
    public_holidays(given.region, (2024,))
    return Series(
        series_id=given.id,
        name=given.name,
        region=given.region,
        time_zone=given.time_zone,
        interval=timedelta(minutes=given.interval_minutes),
        source=given.source,
        simulated=SOURCES[given.source].simulated,
        publication_delay=timedelta(minutes=given.publication_delay_minutes),
    )


def temperature_series(given: SeriesSettings) -> Series:
    """The temperature beside a series whose weather has a source of its own."""
    weather = given.weather
    assert weather is not None
    if weather.source in WEATHER and WEATHER[weather.source].simulated and not given.id.startswith("simulated"):
        raise SettingsError(f"series {given.id} would get simulated weather without saying so", "choose a real weather source")
    return replace(
        demand_series(given).companion(Quantity.TEMPERATURE),
        interval=timedelta(minutes=weather.interval_minutes),
        publication_delay=timedelta(minutes=weather.publication_delay_minutes),
        source=weather.source,
    )


def choose_series(
    settings: Settings,
    source: str | None = None,
    path: Path | None = None,
    series_ids: Sequence[str] = (),
    stored: Collection[str] | None = None,
) -> list[SeriesSettings]:
    """The series that a command is about.

    With neither source nor ids, all of the settings' own that are complete (the built-in `vic` waits for a path), or the built-in
    ones where the settings have none. A command that works on what is stored leaves out those without readings.

    Args:
        stored: ids of the series with readings, for such a command.

    Raises:
        SettingsError: an unknown id or source, a path that does not belong to exactly one series, or that is not there.
    """
    if path is not None and source is None and not series_ids:
        source = "csv"
    if source is not None and source not in SOURCES:
        raise SettingsError(f"unknown source {source!r}", f"use one of {', '.join(SOURCES)}")
    known = {given.id: given for given in settings.known_series}
    for series_id in series_ids:
        if series_id not in known:
            raise SettingsError(f"unknown series {series_id!r}", f"use one of {', '.join(known)}, or describe it in fortnight.toml")
    if source is None and not series_ids:
        complete = [given for given in settings.series if _is_complete(given)]
        if stored is None:
            return complete or list(settings.series)
        return (
            [given for given in complete if given.id in stored]
            or [given for given in settings.known_series if given.id in stored]
            or complete
        )
    wanted = [given for given in known.values() if (not series_ids or given.id in series_ids) and source in (None, given.source)]
    if not wanted:
        raise SettingsError(
            f"no series of source {source!r}" + (f" among {', '.join(series_ids)}" if series_ids else ""),
            "choose another --source or --series, or describe one in fortnight.toml",
        )
    if path is not None:
        if len(wanted) > 1 or wanted[0].source != "csv":
            raise SettingsError(
                f"--path belongs to one csv series, not to {', '.join(given.id for given in wanted)}", "name one with --series"
            )
        if not path.expanduser().exists():
            raise SettingsError(f"no such file: {path}", "correct --path")
        return [wanted[0].model_copy(update={"options": {**wanted[0].options, "path": str(path.expanduser().absolute())}})]
    return wanted


def _is_complete(given: SeriesSettings) -> bool:
    try:
        open_source(given.source, given.id, given.options, Web())
    except SettingsError:
        return False
    return True
