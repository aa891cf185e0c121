"""Composition root: settings become the parts that jobs work with, opened and closed in one place."""

import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting.calendar import public_holidays
from forecasting.domain import Series
from forecasting.errors import SettingsError
from forecasting.settings import CHECKOUT, SeriesSettings, Settings
from forecasting.sources import SOURCES, Source, open_source
from forecasting.store import Store
from forecasting.store.database import explained

if TYPE_CHECKING:
    from forecasting.registry import Registry


@dataclass(frozen=True)
class Service:
    """The open parts. MLflow is opened when first needed."""

    settings: Settings
    store: Store

    @cached_property
    def registry(self) -> "Registry":
        from forecasting.registry import Registry  # a heavy import that ingest and watch do without

        uri = self.settings.mlflow_tracking_uri
        return Registry(self.settings.home, uri.get_secret_value() if uri else None)

    def picture(self, series: Series, origin: datetime) -> Path:
        """Where the picture of the forecast from an origin lies, named by its first day."""
        return self.settings.home / "pictures" / f"{series.series_id}-{origin.astimezone(series.zone):%F}.png"

    @cached_property
    def git_sha(self) -> str:
        """What code runs: the commit of the checkout, or the version of the installed package."""
        if self.settings.git_sha:
            return self.settings.git_sha
        if (CHECKOUT / ".git").exists() and (git := shutil.which("git")):
            done = subprocess.run(  # noqa: S603 - fixed arguments
                [git, "-C", str(CHECKOUT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return done.stdout.strip()
        return f"fortnight {version('fortnight')}"


@contextmanager
def open_service(settings: Settings) -> Iterator[Service]:
    """Connect to the database (starting the embedded one where no URL is set) and bring its schema up to date."""
    url = database_url(settings)
    with explained(url), Store(url) as store:
        yield Service(settings, store)


def database_url(settings: Settings) -> str:
    """The DSN: FORTNIGHT_DATABASE_URL, or that of the embedded server, which is started if need be."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from forecasting.store import embedded

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


def source_of(given: SeriesSettings) -> Source:
    """The opened source of a settings entry."""
    return open_source(given.source, given.id, given.options)


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
        source_of(given)
    except SettingsError:
        return False
    return True
