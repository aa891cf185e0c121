"""What a run does, step by step, as others see it: in Postgres, and in each line of the log."""

import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeVar

from structlog.contextvars import bound_contextvars

from forecasting.errors import AlreadyRunning
from forecasting.service import Service
from forecasting.store import Ending, NewRun

Result = TypeVar("Result")


def begun(service: Service, started_by: str) -> AbstractContextManager[Ending]:
    """Write the run of a service down, until the block ends; and the end of runs that died before, which nobody else may tell."""
    assert service.run_id is not None
    service.store.runs.bury()
    return service.store.recorded(NewRun(service.run_id, started_by, socket.gethostname(), os.getpid()))


def outcome_of(error: Exception) -> str:
    """How a run ends that failed so."""
    return "busy" if isinstance(error, AlreadyRunning) else "failed"


def step(service: Service, job: str, series_id: str | None, as_of: datetime, work: Callable[[], Result]) -> Result:
    """Do the work of a job, written down from its beginning on.

    Args:
        series_id: whose work it is; None for that of all series together.
    """
    if service.run_id is None:
        return work()
    runs = service.store.runs
    with bound_contextvars(job=job, series_id=series_id, as_of=as_of.isoformat()):
        key = runs.begin_step(service.run_id, job, series_id, as_of)
        try:
            result = work()
        except BaseException as error:
            runs.end_step(key, "failed", str(error) or type(error).__name__)
            raise
        runs.end_step(key, "done", None if result is None else str(result))
    return result
