"""Backtest: a model forecasts from many past origins, fitted again and again on what was known, and is scored on what came.

Blocks of origins that share a fit are independent: they run in processes of their own, and each leaves a file, so that a run that
was stopped goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting import calendar
from forecasting.backtest_blocks import Block, Work, code_digest, finished, read_block
from forecasting.domain import DAILY, INTERVAL, Information, Resolution
from forecasting.errors import HistoryError, SettingsError
from forecasting.history import History
from forecasting.models import MODELS
from forecasting.models.base import Forecast
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.windows import Layout

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
    for _ in finished(waiting, layout, history, training, workers):
        done += 1
        progress("backtest", done, len(files))
    origins = np.concatenate([block.origins for block in todo])
    found = {
        family: _joined([read_block(files[family, number]) for number in range(len(todo))], plan, history, origins)
        for family in (plan.family, NAIVE)
    }
    return Backtest(plan, history, origins, _actual(plan, history, origins), found[plan.family], found[NAIVE])


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
