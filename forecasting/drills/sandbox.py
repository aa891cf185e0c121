"""Where drills are played: a state folder of its own with its own Postgres and MLflow, and a feed of invented readings."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from forecasting.calendar import day_start
from forecasting.domain import DAILY, Series
from forecasting.drills.feed import DEMAND, WEATHER, Feed, Server
from forecasting.drills.story import LIMIT_S, CannotPlay, PromiseBroken
from forecasting.service import Service, demand_series, open_service
from forecasting.settings import SeriesSettings, Settings, load_settings
from forecasting.store import Store, embedded
from forecasting.store.forecasts import StoredIssue
from forecasting.store.tally import Tally, tally

OURS = ("FORTNIGHT_", "PREFECT_", "MLFLOW_")
TOWN = "town"
HISTORY_DAYS, RUN_AT = 150, timedelta(hours=6)
QUICK: dict[str, dict[str, Any]] = {
    "ingest": {"history_days": HISTORY_DAYS},
    "model": {"candidates": ["weekly_naive", "seq2seq_attention"], "seeds": 1, "temperature": True},
    "training": {"epochs": 2, "every_days": 30},
    "web": {"tries": 2, "backoff_s": 0.1, "timeout_s": 5},
}
"""A retrain of seconds, by a model that reads temperatures."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    code: int
    told: str
    seconds: float

    @property
    def last_line(self) -> str:
        return next((line for line in reversed(self.told.splitlines()) if line.strip()), "")


class Sandbox:
    """One state folder. Day 0 is that of the first run; its feed knows the days after it too.

    Attributes:
        seen: the issue that was looked at last.
    """

    def __init__(self, home: Path, now: datetime, first: datetime, days: int) -> None:
        self.home, self.days = home, days
        self.seen: StoredIssue | None = None
        self.processes: list[subprocess.Popen[str]] = []
        self.given = self.series()
        zone = demand_series(self.given).zone
        self._first = first.astimezone(zone).date()
        self.feed = Feed(self.town, self.day(-HISTORY_DAYS - 10), self.day(days + 3))
        self.feed.present = now
        self.feeds: list[Server] = [self.feed]

    @property
    def town(self) -> Series:
        return demand_series(self.given)

    def series(self, series_id: str = TOWN, address: str = "", weather_address: str | None = None) -> SeriesSettings:
        """A series of this sandbox, fed by a feed at an address, its weather perhaps by another."""
        weather = f"{address if weather_address is None else weather_address}{WEATHER}"
        return SeriesSettings.model_validate(
            {
                "id": series_id,
                "name": "An invented town",
                "region": "DE-BE",
                "time_zone": "Europe/Berlin",
                "source": "csv",
                "options": {"path": f"{address}{DEMAND}"},
                "weather": {"source": "csv", "interval_minutes": 30, "options": {"path": weather}},
            }
        )

    def day(self, number: int) -> datetime:
        """When the daily run of a day begins."""
        return day_start(self._first + timedelta(days=number), self.town.zone) + RUN_AT

    def describe(self, *series: SeriesSettings, **sections: dict[str, Any]) -> None:
        """Write fortnight.toml: these series, or the town alone, and quick settings beneath those given."""
        merged = {name: {**QUICK.get(name, {}), **sections.get(name, {})} for name in {**QUICK, **sections}}
        lines = [
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())
            for name, section in merged.items()
        ]
        for each in series or (self.series(TOWN, self.feed.address),):
            self.given = each if each.id == TOWN else self.given
            told = each.model_dump(exclude={"options", "weather"})
            lines.append("[[series]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items()))
            lines.append("[series.options]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in each.options.items()))
            if each.weather is not None:
                lines.append(f'[series.weather]\nsource = "{each.weather.source}"\ninterval_minutes = 30\n')
                options = each.weather.options.items()
                lines.append("[series.weather.options]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in options))
        (self.home / "fortnight.toml").write_text("\n".join(lines))

    @property
    def environment(self) -> dict[str, str]:
        """That of the sandbox's processes: none of the user's own settings, servers and secrets."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        threads = {"OMP_NUM_THREADS": "1", "COLUMNS": "160", "MLFLOW_DISABLE_TELEMETRY": "true"}
        return {**inherited, **threads, "FORTNIGHT_HOME": str(self.home)}

    def settings(self, **overrides: Any) -> Settings:
        """Those of the sandbox, for jobs that are run in this process."""
        mine = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            return load_settings(**overrides)
        finally:
            os.environ.clear()
            os.environ.update(mine)

    @contextmanager
    def service(self, now: datetime, **overrides: Any) -> Iterator[Service]:
        with open_service(self.settings(**overrides), now) as service:
            yield service

    @contextmanager
    def store(self) -> Iterator[Store]:
        with Store(embedded.ensure_running(self.home)) as store:
            yield store

    def start(self, *arguments: str, module: str = "forecasting.cli", **more: str) -> subprocess.Popen[str]:
        """A command of its own process and process group; ended with the sandbox at the latest."""
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-m", module, *arguments],
            env={**self.environment, **more},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], began_s: float | None = None) -> Finished:
        """Wait for a command to end.

        Raises:
            PromiseBroken: it does not, within the time that a drill has.
        """
        began_s = time.monotonic() if began_s is None else began_s
        try:
            _, told = process.communicate(timeout=1.5 * LIMIT_S)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise PromiseBroken(f"{process.args!r} did not end within {1.5 * LIMIT_S:.0f} s") from None
        return Finished(process.returncode, told, time.monotonic() - began_s)

    def run(self, *arguments: str, **more: str) -> Finished:
        """A command from beginning to end."""
        return self.finish(self.start(*arguments, **more))

    def daily(self, number: int, **more: str) -> Finished:
        """The daily run of a day."""
        return self.run("daily", "--as-of", self.day(number).isoformat(), **more)

    def wait(self, what: str, come: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Wait for a sign.

        Raises:
            PromiseBroken: it does not come.
        """
        until_s = time.monotonic() + limit_s
        while not come():
            if time.monotonic() > until_s:
                raise PromiseBroken(f"{what} did not come within {limit_s:.0f} s")
            time.sleep(0.02)

    def newest(self, series_id: str = TOWN) -> StoredIssue | None:
        """What consumers have: the newest ready issue of a series."""
        with self.store() as store:
            latest = store.forecasts.latest(series_id, DAILY)
            self.seen = store.forecasts.told(latest[0].issue_id) if latest else self.seen
            return self.seen if latest else None

    def tally(self) -> Tally:
        with self.store() as store:
            return tally(store.connection, TOWN)

    def ready(self, moment: datetime, series_id: str = TOWN) -> StoredIssue:
        """The newest issue of a series.

        Raises:
            PromiseBroken: it does not reach two weeks beyond a moment, or was not made at it.
        """
        issue = self.newest(series_id)
        if issue is None:
            raise PromiseBroken(f"there is no forecast of {series_id}")
        reach = issue.origin + timedelta(days=issue.leads)
        if issue.readings_as_of != moment or reach < moment + timedelta(days=13):
            raise PromiseBroken(
                f"the newest forecast of {series_id} is as of {issue.readings_as_of:%F %H:%M}Z and reaches to {reach:%F}, "
                f"one of {moment:%F %H:%M}Z is wanted"
            )
        return issue

    def close(self) -> None:
        """End every process of the sandbox."""
        for process in self.processes:
            kill_group(process)
        for feed in self.feeds:
            feed.close()
        embedded.stop(self.home)


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL to a command and all that it started, Postgres excepted, which belongs to itself."""
    if process.poll() is None:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in family:
            if member.name() != "postgres":
                member.kill()
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def need(present: object, what: str) -> None:
    """Raises CannotPlay where this machine lacks something."""
    if not present:
        raise CannotPlay(f"needs {what}")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
