"""Backtest: a model forecasts from many past origins, fitted again and again on what was known, and is scored on what came.

Blocks of origins that share a fit are independent: they run in processes of their own, and each leaves a file, so that a run that
was stopped goes on where it was.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from datetime import date
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.domain import DAILY, INTERVAL, LEVELS, Information, Resolution
from forecasting.errors import HistoryError, SettingsError, TrainingError
from forecasting.history import History, clock_temperature
from forecasting.models import MODELS, build
from forecasting.models.base import Epoch, Forecast
from forecasting.predicting import FittedModel, column
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.training import repeatable
from forecasting.windows import Layout, whole_origins

NAIVE = "weekly_naive"
HORIZON_DAYS = 14
YEAR_DAYS = 365
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What to run.

    first, last: the first and last day to be forecast; from every `every_days`-th day between them whose horizon ends by `last`.
    train_until: last day that the first fit knows; None for the day before `first`. Later fits keep the distance.
    refit_days: how many days of origins share a fit; 0 for a single one.
    window_days: fit on so many newest days only; None for all.
    """

    family: str
    resolution: Resolution
    information: Information
    first: date
    last: date
    every_days: int
    train_until: date | None = None
    refit_days: int = 28
    window_days: int | None = None

    def layout(self, history: History, model: ModelSettings) -> Layout:
        """Two weeks of an interval grid have one day more on the local clock where clocks go forward."""
        per_day = 1 if self.resolution == DAILY else history.slots
        days = HORIZON_DAYS if self.resolution == DAILY else HORIZON_DAYS + 1
        return Layout(self.resolution, per_day, model.past_days * per_day, days * per_day, self.information, model.temperature)


@dataclass(frozen=True)
class Block:
    """Origins (positions of first target days) that share a fit on the days `begin` to `until` (exclusive)."""

    origins: tuple[int, ...]
    begin: int
    until: int


Work = tuple[Path, str, Mapping[str, Any], Block]
"""A block to run with a family and its options, and where its forecasts go."""


@dataclass(frozen=True)
class Backtest:
    """Forecasts from `origins` (positions of first target days), on the pairs that are scored; steps are days, or intervals in UTC
    order. `actual` [origins, steps]. Energy in MWh."""

    plan: Plan
    history: History
    origins: np.ndarray
    actual: np.ndarray
    model: Forecast
    naive: Forecast


def blocks(plan: Plan, history: History) -> list[Block]:
    """How a plan splits into fits.

    Raises:
        HistoryError: the history does not reach so far, or has nothing before.
        SettingsError: dates or counts that make no sense.
    """
    position = {day.date(): at for at, day in enumerate(history.days)}
    for name, day in (("--from", plan.first), ("--to", plan.last)):
        if day not in position:
            known = f"{history.days[0]:%F} to {history.days[-1]:%F}"
            raise HistoryError(f"{name} {day} lies outside the complete days of {history.series.series_id}", f"it has {known}")
    first, last = position[plan.first], position[plan.last]
    gap = 0 if plan.train_until is None else (plan.first - plan.train_until).days - 1
    if gap < 0:
        raise SettingsError(f"--train-until {plan.train_until} is not before --from {plan.first}", "choose an earlier day")
    origins = _observed(plan, history.before(last + 1), np.arange(first, last - HORIZON_DAYS + 2, plan.every_days))
    if not len(origins):
        raise HistoryError(
            f"no origin between {plan.first} and {plan.last} has {HORIZON_DAYS} observed days after it", "choose a longer stretch"
        )
    found = []
    for number in np.unique((origins - first) // plan.refit_days if plan.refit_days else np.zeros(len(origins), dtype=int)):
        mine = origins[(origins - first) // plan.refit_days == number] if plan.refit_days else origins
        until = (first + int(number) * plan.refit_days if plan.refit_days else first) - gap
        begin = 0 if plan.window_days is None else max(0, until - plan.window_days)
        if until - begin < 2 * YEAR_DAYS // 12:
            raise HistoryError(
                f"only {until - begin} days of {history.series.series_id} to fit on before {history.days[min(until, last)]:%F}",
                "choose a later --from, or a longer --window-days",
            )
        found.append(Block(tuple(int(origin) for origin in mine), begin, until))
    return found


def _observed(plan: Plan, history: History, origins: np.ndarray) -> np.ndarray:
    """The origins whose targets the history holds and observed. Two weeks of intervals reach an hour into a fifteenth day where
    clocks go forward."""
    days = np.full(len(origins), HORIZON_DAYS)
    if plan.resolution == INTERVAL and len(origins):
        days = _places(history, origins)[:, -1] // history.slots + 1
    invented = np.concatenate([[0], np.cumsum(history.filled)])
    end = np.minimum(origins + days, len(history))
    found: np.ndarray = origins[(origins + days <= len(history)) & (invented[end] == invented[origins])]
    return found


def run(
    plan: Plan,
    history: History,
    model: ModelSettings,
    training: TrainingSettings,
    parts: Path,
    workers: int,
    progress: Progress,
) -> Backtest:
    """Run what of a plan has not been run yet; `parts` is where finished blocks lie, and the caller's to remove.

    Raises:
        HistoryError, SettingsError: the plan does not fit the history.
        TrainingError: a fit came to nothing, or a worker was killed.
    """
    if plan.family not in MODELS:
        raise SettingsError(f"no model family {plan.family!r}", f"use one of {', '.join(MODELS)}")
    todo = blocks(plan, history)
    _require_outlooks(plan, history, todo)
    layout = plan.layout(history, model)
    parts.mkdir(parents=True, exist_ok=True)
    told = {"history": history.fingerprint, "code": code_digest(), "training": training.model_dump(), "layout": asdict(layout)}
    files: dict[tuple[str, int], Path] = {}
    waiting: list[Work] = []
    for family in dict.fromkeys((plan.family, NAIVE)):
        options = MODELS[family].options(model)
        for number, block in enumerate(todo):
            key = json.dumps({**told, "family": family, "options": options, "block": asdict(block)}, sort_keys=True)
            files[family, number] = parts / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
            if not files[family, number].exists():
                waiting.append((files[family, number], family, options, block))
    done = len(files) - len(waiting)
    progress("backtest", done, len(files))
    for _ in _finished(waiting, layout, history, training, workers):
        done += 1
        progress("backtest", done, len(files))
    origins = np.concatenate([block.origins for block in todo])
    found = {
        family: _joined([_read(files[family, number]) for number in range(len(todo))], plan, history, origins)
        for family in (plan.family, NAIVE)
    }
    return Backtest(plan, history, origins, _actual(plan, history, origins), found[plan.family], found[NAIVE])


def _finished(
    waiting: Sequence[Work], layout: Layout, history: History, training: TrainingSettings, workers: int
) -> Iterator[None]:
    """Run blocks, several at once where there is more than one worker; yields after each."""
    count = min(workers, len(waiting))
    if count <= 1:
        for path, family, options, block in waiting:
            run_block(path, family, options, layout, history, block, training)
            yield
        return
    environment = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    os.environ.update(dict.fromkeys(environment, "1"))  # the workers inherit it: one thread each
    try:
        with ProcessPoolExecutor(count, get_context("spawn"), initializer=_end_with_parent) as pool:
            jobs = [
                pool.submit(run_block, path, family, options, layout, history, block, training)
                for path, family, options, block in waiting
            ]
            try:
                for job in as_completed(jobs):
                    job.result()
                    yield
            except BrokenProcessPool:
                raise TrainingError(
                    f"one of {count} processes was killed, as happens where memory runs out",
                    "run the same command again, with fewer --workers; finished blocks are kept",
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        for name, value in environment.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _end_with_parent() -> None:
    """Let a worker end when the process that started it is killed: its pool would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run_block(
    path: Path,
    family: str,
    options: Mapping[str, Any],
    layout: Layout,
    history: History,
    block: Block,
    training: TrainingSettings,
) -> None:
    """Fit, forecast from the origins of a block, and leave the forecasts in a file that is whole or not there.

    A family whose bands need it is calibrated as in production: fitted without the newest `validation_days`, its bands are made as
    wide as its errors of those days were. The others are fitted on every day. One that reads weather forecasts is calibrated where
    they were kept; where none was, its bands stay as they are.

    Raises:
        TrainingError: its forecasts are not finite.
    """
    known = history.since(block.begin)
    until, origins = block.until - block.begin, np.array(block.origins) - block.begin
    calibrates = MODELS[family].made_by.calibrates_itself or MODELS[family].baseline
    fitted_until = until if calibrates else until - training.validation_days
    with repeatable(training.seed):
        past = known.before(until)
        forecaster = build(family, layout, **options)
        forecaster.learn(past, fitted_until, training, _untold)
        model = FittedModel.raw(family, forecaster)
        if not calibrates:
            held_out = whole_origins(past, fitted_until, layout.horizon_days)
            if layout.information is Information.F and layout.future_temperature:
                held_out = held_out[np.isin(held_out, list(past.outlooks_c))]
            model = model.calibrated(past, held_out) if len(held_out) else model
        forecast = model.forecast(known, origins)
    if not (np.isfinite(forecast.mean).all() and np.isfinite(forecast.quantiles).all()):
        raise TrainingError(
            f"{family}, fitted on the days before {history.days[block.until]:%F}, forecasts numbers that are not finite",
            "lower learning_rate in [training]",
        )
    arrays = {"mean": forecast.mean, "quantiles": forecast.quantiles}
    if forecast.peak is not None:
        arrays["peak"] = forecast.peak
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    unfinished.replace(path)


def code_digest() -> str:
    """SHA-256 of this package's code: other code may forecast otherwise."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root)}".encode() + file.read_bytes())
    return digest.hexdigest()


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


def _require_outlooks(plan: Plan, history: History, todo: list[Block]) -> None:
    if plan.information is not Information.F:
        return
    missing = [origin for block in todo for origin in block.origins if origin not in history.outlooks_c]
    if missing:
        raise SettingsError(
            f"no weather forecast issued at the beginning of {history.days[missing[0]]:%F} ({len(missing)} origins have none)",
            "give them with --weather FILE, or ask for --information P",
        )


def _joined(found: list[Forecast], plan: Plan, history: History, origins: np.ndarray) -> Forecast:
    peaks = [each.peak for each in found if each.peak is not None]
    peak = np.concatenate(peaks)[:, :HORIZON_DAYS] if peaks else None
    mean, quantiles = (np.concatenate([getattr(each, name) for each in found]) for name in ("mean", "quantiles"))
    if plan.resolution == INTERVAL:
        place = _places(history, origins)
        mean, quantiles = np.take_along_axis(mean, place, 1), np.take_along_axis(quantiles, place[..., None], 1)
    return Forecast(mean, quantiles, peak)


def _actual(plan: Plan, history: History, origins: np.ndarray) -> np.ndarray:
    if plan.resolution == DAILY:
        days: np.ndarray = history.energy_mwh[origins[:, None] + np.arange(HORIZON_DAYS)]
        return days
    flat, at = history.demand_mwh.ravel(), (origins * history.slots)[:, None] + _places(history, origins)
    found: np.ndarray = flat[at]
    return found


def _places(history: History, origins: np.ndarray) -> np.ndarray:
    """Where on the clock, counted from each origin, the next two weeks of intervals lie in UTC order: [origins, intervals]."""
    return np.stack([interval_places(history, origin, HORIZON_DAYS * history.slots) for origin in origins.tolist()])


def interval_places(history: History, origin: int, count: int) -> np.ndarray:
    """Where on the clock, counted from the beginning of the day at `origin`, the next intervals lie in UTC order: int64 [count]."""
    starts = pd.date_range(history.start_of(origin), periods=count, freq=history.series.interval)
    shown, slots = calendar.clock_slots(starts, history.series.zone, history.series.interval)
    day = np.asarray((shown - (history.days[0] + pd.Timedelta(days=origin))) // pd.Timedelta(days=1), dtype=np.int64)
    places: np.ndarray = day * history.slots + slots
    return places


def _read(path: Path) -> Forecast:
    with np.load(path, allow_pickle=False) as arrays:
        return Forecast(arrays["mean"], arrays["quantiles"], arrays.get("peak"))


def _untold(epoch: Epoch) -> None:
    """Nobody looks at single losses here."""
