"""The blocks of a backtest: origins that share a fit. Each runs by itself, in a process of its own where there are several, and
leaves one file."""

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np

from forecasting.domain import Information
from forecasting.errors import TrainingError
from forecasting.history import History
from forecasting.models import MODELS, build
from forecasting.models.base import Epoch, Forecast
from forecasting.predicting import FittedModel
from forecasting.settings import TrainingSettings
from forecasting.training import repeatable
from forecasting.windows import Layout, whole_origins


@dataclass(frozen=True)
class Block:
    """Origins (positions of first target days) that share a fit on the days `begin` to `until` (exclusive)."""

    origins: tuple[int, ...]
    begin: int
    until: int


Work = tuple[Path, str, Mapping[str, Any], Block]
"""A block to run with a family and its options, and where its forecasts go."""


def finished(waiting: Sequence[Work], layout: Layout, history: History, training: TrainingSettings, workers: int) -> Iterator[None]:
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


def read_block(path: Path) -> Forecast:
    """What `run_block` left."""
    with np.load(path, allow_pickle=False) as arrays:
        return Forecast(arrays["mean"], arrays["quantiles"], arrays.get("peak"))


def _untold(epoch: Epoch) -> None:
    """Nobody looks at single losses here."""
