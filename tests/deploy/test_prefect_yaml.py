"""`deploy/prefect.yaml` on a real Prefect server: deployed as an operator does, on time over clock changes, run by a worker."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecasting.settings import Settings
from forecasting.store import Store
from tests.conftest import CHECKOUT
from tests.deploy.conftest import DEPLOY

EXAMPLE = "#  - <<: *daily"
CHANGES = {
    "australia-melbourne": (datetime(2026, 10, 2, 12, tzinfo=UTC), ["2026-10-02T20", "2026-10-03T19", "2026-10-04T19"]),
    "europe-berlin": (datetime(2026, 10, 23, 12, tzinfo=UTC), ["2026-10-24T04", "2026-10-25T05", "2026-10-26T05"]),
}
"""Moments before the clocks change, and the hours in UTC of the next three runs: always six in the morning there."""
pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file after its two usual edits: where the checkout is, and the second time zone, which is a comment."""
    text = (DEPLOY / "prefect.yaml").read_text()
    first, example = text.split(EXAMPLE)
    second = "\n".join(line.removeprefix("#") for line in (EXAMPLE + example).splitlines())
    path = tmp_path_factory.mktemp("prefect") / "prefect.yaml"
    path.write_text(f"{first}{second}\n".replace("directory: /opt/fortnight", f"directory: {CHECKOUT}"))
    return path


def prefect(*arguments: object, **environment: str) -> str:
    from prefect.settings import PREFECT_API_URL

    done = subprocess.run(
        [sys.executable, "-m", "prefect", *map(str, arguments)],
        env={**os.environ, **environment, "PREFECT_API_URL": PREFECT_API_URL.value() or ""},
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pool(prefect_server: None, edited: Path) -> str:
    prefect("work-pool", "create", "fortnight", "--type", "process")
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", edited)
    return "fortnight"


@pytest.mark.parametrize("name", CHANGES)
def test_a_deployment_is_due_at_six_on_the_local_clock_and_runs_once_at_a_time(pool: str, name: str) -> None:
    import asyncio

    from prefect import get_client

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(f"daily/{name}")
    assert (deployment.work_pool_name, deployment.entrypoint) == (pool, "flows/daily.py:daily")
    assert deployment.global_concurrency_limit is not None
    assert deployment.global_concurrency_limit.limit == 1
    assert deployment.concurrency_options is not None
    assert deployment.concurrency_options.collision_strategy == "CANCEL_NEW"
    (schedule,) = deployment.schedules
    assert schedule.active
    start, hours = CHANGES[name]
    from prefect.server.schemas.schedules import CronSchedule

    times = asyncio.run(CronSchedule(**schedule.schedule.model_dump()).get_dates(n=3, start=start))
    assert [f"{time.astimezone(UTC):%Y-%m-%dT%H}" for time in times] == hours


@pytest.mark.costly
def test_a_worker_of_the_pool_makes_a_forecast(pool: str, settings: Settings, store: Store) -> None:
    from prefect import get_client

    assert settings.database_url is not None
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("daily/australia-melbourne")
        run = client.create_flow_run_from_deployment(deployment.id, parameters={"source": "simulated", "as_of": "2024-03-01"})
        prefect(
            "worker", "start", "--pool", pool, "--run-once",
            FORTNIGHT_HOME=str(settings.home),
            FORTNIGHT_DATABASE_URL=settings.database_url.get_secret_value(),
            FORTNIGHT_MODEL__CANDIDATES='["weekly_naive"]',
            FORTNIGHT_INGEST__HISTORY_DAYS="120",
        )  # fmt: skip
        state = client.read_flow_run(run.id).state
    assert state is not None
    assert state.is_completed(), state.message
    assert len(store.forecasts.latest("simulated", "daily")) == 14
