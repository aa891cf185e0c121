"""What is found, and how soon? Faults played into live runs on the real demand of Victoria, after a hundred healthy days.

FAULT_HOME=/tmp/faults python -m pytest -s tests/benchmarks/test_faults.py     (twenty minutes; the healthy days are kept)

Each fault begins with the readings of one day, or with the forecasts of one morning, and is watched for six days. Whoever is told,
when, and of which cause, is printed. Without FAULT_HOME nothing is run.
"""

import csv
import gzip
import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from forecasting.artefact import CARD, WEIGHTS, pack
from forecasting.domain import Finding
from forecasting.jobs.history import known_history
from forecasting.jobs.replay import ReplayReport, replay
from forecasting.jobs.tiers import Files
from forecasting.predicting import FittedModel, score
from forecasting.service import Service, choose_series, demand_series, open_service
from forecasting.settings import SeriesSettings, load_settings
from forecasting.store import embedded
from forecasting.windows import whole_origins
from tests.benchmarks.conftest import Print

HOME = os.environ.get("FAULT_HOME")
pytestmark = [pytest.mark.skipif(HOME is None, reason="FAULT_HOME names no folder to work in"), pytest.mark.timeout(0)]
BASE_FROM, BROKEN = date(2014, 3, 3), date(2014, 6, 12)
WATCHED_DAYS = 6
RETRAIN_DAYS = 7
AT = time(6)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
Rows = list[list[str]]


def frozen(rows: Rows, first: int) -> Rows:
    """The last value again and again."""
    return rows[:first] + [[row[0], rows[first - 1][1], *row[2:]] for row in rows[first:]]


def thousandfold(rows: Rows, first: int) -> Rows:
    return rows[:first] + [[row[0], f"{float(row[1]) * 1000:.3f}", *row[2:]] for row in rows[first:]]


def an_hour_late(rows: Rows, first: int) -> Rows:
    """Each reading is marked an hour later than it is."""
    return rows[:first] + [[row[0], rows[first + n - 2][1], *row[2:]] for n, row in enumerate(rows[first:])]


FEEDS: dict[str, tuple[Callable[[Rows, int], Rows], str, str]] = {
    "frozen feed": (frozen, "feed_frozen", "frozen"),
    "thousandfold scale": (thousandfold, "feed_scale", "1000"),
    "an hour late": (an_hour_late, "time_shift", "60 minutes too late"),
}


def disturb(service: Service, given: SeriesSettings, as_of: datetime, rise: float = 1.5) -> float:
    """Noise on the weights of the champion until its loss has risen, in its files and its digests: only its forecasts tell."""
    series = demand_series(given)
    champion = service.store.versions.champion(service.store.readings.key(series), "daily", as_of)
    assert champion is not None
    history = known_history(service, given, as_of)
    model = Files(service).model(champion)
    layout = model.forecaster.layout
    origins = whole_origins(history, len(history) - 56, layout.horizon_days)
    weights = {name: value.clone() for name, value in model.forecaster.state_dict().items()}
    noise = np.random.default_rng(1).standard_normal(weights["coefficients"].shape)
    healthy = score(model.uncalibrated(), history, origins, 1.0).pinball_mwh

    def loss(size: float) -> float:
        model.forecaster.coefficients[:] = weights["coefficients"] + size * weights["coefficients"].new_tensor(noise)  # type: ignore[operator, index]
        return score(FittedModel.raw(model.family, model.forecaster), history, origins, 1.0).pinball_mwh / healthy

    low, high = 0.0, 0.2
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < rise else (low, middle)
    reached = loss(high)
    options = {"paths": 300, "seed": 0} if model.family == "weather_paths" else {}
    broken = pack(model, options, series, {})
    for name, content in ((WEIGHTS, broken.weights), (CARD, broken.card)):
        for path in (service.settings.home / "mlflow").rglob(name):
            if champion.mlflow_run_id in str(path):
                path.write_bytes(content)
    service.store.connection.execute("DELETE FROM fortnight.model_file")
    service.store.connection.execute(
        "UPDATE fortnight.model_version SET weights_sha256 = %s, card_sha256 = %s WHERE model_version_key = %s",
        (broken.weights_sha256, broken.card_sha256, champion.model_version_key),
    )
    return reached


def restored(home: Path, base: Path) -> None:
    embedded.stop(home)
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run(["cp", "-a", base, home], check=True)  # owners too: Postgres runs under another account


def made(home: Path, base: Path, path: Path) -> None:
    """The healthy days, kept for the next time."""
    settings = load_settings(home=home, training={"every_days": RETRAIN_DAYS})
    with open_service(settings, NOW) as service:
        given = choose_series(settings, path=path)[0]
        print(replay(service, given, BASE_FROM, BROKEN - timedelta(days=1), AT))  # noqa: T201
    embedded.stop(home)
    subprocess.run(["cp", "-a", home, base], check=True)


def play(name: str, home: Path, path: Path) -> tuple[float | None, date, ReplayReport]:
    """One fault from its first morning on: by how much the loss was raised, if that was it; that morning; and how it went."""
    logging.getLogger("forecasting").setLevel(logging.ERROR)
    with open_service(load_settings(home=home, training={"every_days": RETRAIN_DAYS}), NOW) as service:
        given = choose_series(service.settings, path=path)[0]
        zone, reached, begins = demand_series(given).zone, None, BROKEN
        if name in FEEDS:
            given, begins = (
                choose_series(service.settings, path=broken(name, path, home.parent, zone))[0],
                BROKEN + timedelta(days=1),
            )
        else:
            reached = disturb(service, given, datetime.combine(BROKEN, time(), zone))
        found = replay(service, given, begins, begins + timedelta(days=WATCHED_DAYS - 1), AT)
    embedded.stop(home)
    return reached, begins, found


def broken(name: str, path: Path, folder: Path, zone: ZoneInfo) -> Path:
    """A copy of the file, broken from BROKEN on."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    start = datetime.combine(BROKEN, time(), zone).astimezone(UTC)
    first = next(n for n, row in enumerate(rows) if n and datetime.fromisoformat(row[0]) >= start)
    copy = folder / f"{name.replace(' ', '-')}.csv"
    with copy.open("w", newline="") as file:
        csv.writer(file).writerows(FEEDS[name][0](rows, first))
    return copy


def test_faults_are_found(vic_csv: Path, tell: Print) -> None:
    assert HOME is not None
    home, base = Path(HOME) / "live", Path(HOME) / "base"
    lines = []
    for name in ("weights disturbed", *FEEDS):
        # a process each: MLflow would keep the database open that has just been replaced
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            if not base.exists():
                pool.submit(made, home, base, vic_csv).result()
        restored(home, base)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            reached, begins, found = pool.submit(play, name, home, vic_csv).result()
        if reached is not None:
            lines.append(f"weights disturbed: validation loss times {reached:.2f}")
        lines += told(name, begins, FEEDS[name][1:] if name in FEEDS else ("loss_drift", "the model"), found.fired)
        lines += [f"    {day}: {failure}" for day, failure in found.failures.items()]
    tell("\n".join(lines))


def told(name: str, begins: date, expected: Sequence[str], fired: Sequence[tuple[date, Finding]]) -> list[str]:
    rule, words = expected
    lines = []
    hit = next((day for day, finding in fired if finding.rule == rule and words in f"{finding.cause} {finding.message}"), None)
    verdict = "NOT FOUND" if hit is None else f"found on day {(hit - begins).days + 1}"
    lines.append(f"{name}: {verdict}")
    lines += [f"    {day} {finding.severity} {finding.rule}: {finding.cause or finding.message}" for day, finding in fired]
    return lines
