"""The flows: `daily`, and each of its steps by itself. All hold a series while they work on it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import State, flow, get_run_logger, runtime
from prefect.states import Completed, Failed

from flows.tasks import TASKS, failed
from flows.tasks import watch as watch_task
from forecasting.domain import as_of_moment
from forecasting.errors import AlreadyRunning, FortnightError
from forecasting.jobs.clock import by_the_right_clock
from forecasting.jobs.daily import HOPELESS
from forecasting.jobs.due import to_watch
from forecasting.jobs.runs import begun
from forecasting.logs import bind
from forecasting.service import Service, choose_series, open_service
from forecasting.settings import SeriesSettings, load_settings

Strings = list[str] | None


def run_name() -> str:
    """What the Prefect UI calls a run: the flow, its series and its as-of time."""
    given = runtime.flow_run.parameters
    about = ", ".join(given.get("series") or [given.get("source") or "all series"])
    return f"{runtime.flow_run.flow_name} {about}, {given.get('as_of') or 'now'}"


@flow(flow_run_name=run_name)
def daily(source: str | None = None, path: str | None = None, series: Strings = None, as_of: str | None = None) -> State[Any]:
    """Ingest, retrain and publish each series, then watch all of them."""
    return run_steps(("ingest", "retrain", "publish"), source, path, series, as_of, then_watch=True)


@flow(flow_run_name=run_name)
def ingest(source: str | None = None, path: str | None = None, series: Strings = None, as_of: str | None = None) -> State[Any]:
    """Bring in new and corrected readings."""
    return run_steps(("ingest",), source, path, series, as_of)


@flow(flow_run_name=run_name)
def retrain(source: str | None = None, path: str | None = None, series: Strings = None, as_of: str | None = None) -> State[Any]:
    """Fit a candidate for each series, and let it stand against the champion."""
    return run_steps(("retrain",), source, path, series, as_of)


@flow(flow_run_name=run_name)
def publish(source: str | None = None, path: str | None = None, series: Strings = None, as_of: str | None = None) -> State[Any]:
    """Publish the champion's forecast of each series."""
    return run_steps(("publish",), source, path, series, as_of)


@flow(flow_run_name=run_name)
def watch(source: str | None = None, path: str | None = None, series: Strings = None, as_of: str | None = None) -> State[Any]:
    """Judge forecasts, losses and readings of all series."""
    return run_steps((), source, path, series, as_of, then_watch=True)


FLOWS = {"daily": daily, "ingest": ingest, "retrain": retrain, "publish": publish, "watch": watch}


def run_steps(
    steps: Sequence[str],
    source: str | None,
    path: str | None,
    series: Strings,
    as_of: str | None,
    *,
    then_watch: bool = False,
) -> State[Any]:
    """Take each chosen series through the steps; one that fails does not keep the others from running. Then watch all of them.

    Returns:
        the state of the flow: failed if any series was, with the first message.
    """
    run_id = str(runtime.flow_run.id)
    bind(run_id=run_id)
    try:
        settings = load_settings()
        with open_service(settings, datetime.now(UTC), UUID(run_id)) as opened, begun(opened, "flow") as ending:
            service = by_the_right_clock(opened)
            stored = None if "ingest" in steps else service.store.readings.stored_ids()
            chosen = choose_series(settings, source, Path(path) if path else None, series or (), stored)
            moments = {given.id: as_of_moment(as_of, ZoneInfo(given.time_zone), service.now) for given in chosen}
            if then_watch and steps and as_of is None:
                chosen = _still_due(service, chosen)
            states = [_one_series(service, steps, given, path, moments[given.id]) for given in chosen if steps]
            if then_watch:
                with open_service(settings, service.now) as fresh:  # Postgres may have been restarted since
                    watched = _to_watch(fresh, [(given, moments[given.id]) for given in chosen], as_of)
                if watched:
                    states.append(watch_task(watched, run_id, return_state=True))
            result = _worst(states, len(chosen))
            if not result.is_completed() or result.name == AlreadyRunning.__name__:
                ending.outcome, ending.told = "busy" if result.is_completed() else "failed", result.message
    except FortnightError as error:
        return failed(error)
    return result


def _to_watch(service: Service, chosen: Sequence[tuple[SeriesSettings, datetime]], as_of: str | None) -> dict[str, str]:
    """Ids and as-of times: a run of the present looks at the other series too."""
    stored = set(service.store.readings.stored_ids())
    pairs = to_watch(service, chosen) if as_of is None and chosen else [pair for pair in chosen if pair[0].id in stored]
    return {given.id: moment.isoformat() for given, moment in pairs}


def _worst(states: Sequence[State[Any]], chosen: int) -> State[Any]:
    bad = [state for state in states if state.is_failed()]
    if bad:
        return Failed(name=bad[0].name, message=bad[0].message)
    busy = [state for state in states if state.name == AlreadyRunning.__name__]
    return busy[0] if busy else Completed(message=f"{chosen} series done" if chosen else "nothing to do: all series are done")


def _still_due(service: Service, chosen: Sequence[SeriesSettings]) -> list[SeriesSettings]:
    """Without the series that another run has brought up to date since this one was scheduled: of many late runs, the first does
    all the work."""
    scheduled = runtime.flow_run.scheduled_start_time
    due = [given for given in chosen if not service.store.runs.done_since(given.id, "publish", scheduled)]
    for given in chosen:
        if given not in due:
            get_run_logger().info("%s: nothing to do, it was published since %s", given.id, f"{scheduled:%F %H:%M}Z")
    return due


def _one_series(service: Service, steps: Sequence[str], given: SeriesSettings, path: str | None, moment: datetime) -> State[Any]:
    """The same rule as `forecasting.jobs.daily`: go on after a failure, unless the rest must fail for the same reason."""
    first_failure: State[Any] | None = None
    try:
        with service.store.hold(given.id):
            for step in steps:
                state = TASKS[step](given.id, path, moment.isoformat(), str(service.run_id), return_state=True)
                if state.is_failed():
                    first_failure = first_failure or state
                    if state.name == HOPELESS.__name__:
                        break
    except AlreadyRunning as error:
        get_run_logger().warning("%s", error)
        return Completed(name=AlreadyRunning.__name__, message=str(error))
    except FortnightError as error:
        return failed(error)
    return first_failure or Completed()
