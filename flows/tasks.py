"""One task a job. Ids, paths, times and sentences cross a task's boundary: never a frame, a model or a connection."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State, Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.states import Completed, Failed

from flows.artifacts import show, show_watch
from forecasting.errors import ConnectionLost, FortnightError, RegistryError, StoreError, Unreachable
from forecasting.jobs import Progress
from forecasting.jobs.daily import STEPS, take
from forecasting.jobs.watch import watch as look
from forecasting.service import choose_series, open_service
from forecasting.settings import load_settings

MANY = 8
OUTAGES = tuple(kind.__name__ for kind in (RegistryError, StoreError, Unreachable, ConnectionLost))
"""Failures that may pass by themselves: tried again. The rest would fail the same way."""


def is_outage(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    return state.name in OUTAGES


def _step_task(name: str) -> Task[[str, str | None, str, str], State[str]]:
    @task(
        name=name,
        task_run_name=f"{name} {{series_id}}",
        cache_policy=NO_CACHE,
        retries=2,
        retry_delay_seconds=[10, 60],
        retry_condition_fn=is_outage,
    )
    def step(series_id: str, path: str | None, as_of: str, run_id: str) -> State[str]:
        settings = load_settings()
        (given,) = choose_series(settings, path=Path(path) if path else None, series_ids=[series_id])
        try:
            with open_service(settings, datetime.now(UTC), UUID(run_id)) as service:
                result = take(service, name, given, datetime.fromisoformat(as_of), _progress_logged())
                show(service, given, result)
                return Completed(message=str(result))
        except FortnightError as error:
            return failed(error)

    return step


@task(
    name="watch",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=is_outage,
)
def watch(chosen: Mapping[str, str], run_id: str) -> State[str]:
    """Watch series, by id, each at its as-of time."""
    settings = load_settings()
    known = {given.id: given for given in settings.known_series}
    try:
        with open_service(settings, datetime.now(UTC), UUID(run_id)) as service:
            pairs = [(known[series_id], datetime.fromisoformat(as_of)) for series_id, as_of in chosen.items()]
            report = look(service, pairs, _progress_logged())
            show_watch(report)
            return Completed(message=str(report))
    except FortnightError as error:
        return failed(error)


def _progress_logged() -> Progress:
    """A line in the run's log at every quarter of what takes many steps."""
    logger = get_run_logger()

    def report(what: str, done: int, total: int) -> None:
        if total >= MANY and 4 * done // total > 4 * (done - 1) // total:
            logger.info("%s: %d of %d", what, done, total)

    return report


def failed(error: FortnightError) -> State[Any]:
    """An expected failure as a state, named by its kind: its message says it all, a traceback would add nothing."""
    return Failed(name=type(error).__name__, message=str(error))


TASKS: Mapping[str, Task[[str, str | None, str, str], State[str]]] = {name: _step_task(name) for name in STEPS}
