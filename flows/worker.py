"""`python -m flows.worker`: the daily flow of each time zone on its schedule, and an end to runs that Prefect has lost sight of."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

import flows  # noqa: F401 - sets Prefect's environment before Prefect reads it
from forecasting.errors import FortnightError
from forecasting.jobs.due import scheduled
from forecasting.service import open_service
from forecasting.settings import Settings, load_settings

# isort: split
import prefect
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.schedules import Cron
from prefect.states import Crashed

logger = logging.getLogger(__name__)
FLOW = "daily"
AT_ONCE = 2
"""So many flow runs work at the same time; the others wait."""
REAP_EVERY_S = 60.0
LOST = timedelta(minutes=15)
"""A run that Prefect holds for running, but that never began to work, is given up after so long."""
UNFINISHED = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}
START_LIMIT_S = 180.0


def deployments(settings: Settings) -> list[RunnerDeployment]:
    """One for each time zone: its series, at the local times of the settings."""
    zones: dict[str, list[str]] = defaultdict(list)
    with open_service(settings, datetime.now(UTC)) as service:
        for given in scheduled(service):
            zones[given.time_zone].append(given.id)
    return [
        RunnerDeployment(
            name=f"daily {zone.replace('/', ' ')}",
            flow_name=FLOW,
            entrypoint="flows.daily.daily",  # by its name: the flow brings torch with it, which only a run needs
            schedules=[Cron(f"{at.minute} {at.hour} * * *", timezone=zone) for at in settings.serve.at],
            parameters={"series": ids},
            description=f"The daily run of {', '.join(ids)}.",
        )
        for zone, ids in zones.items()
    ]


def reap(client: SyncPrefectClient, names: Collection[str], now: datetime) -> list[UUID]:
    """End the runs that Prefect takes for unfinished although they ended here, died, or never began; returns their ids.

    Args:
        names: of our deployments. The server may be shared: a run that our tables do not know is none of our business unless it is
            of one of these.
    """
    unfinished = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate({"state": UNFINISHED}))
    wanted = DeploymentFilter.model_validate({"name": {"any_": list(names)}})
    flow = FlowFilter.model_validate({"name": {"any_": [FLOW]}})
    ours = {each.id for each in client.read_deployments(flow_filter=flow, deployment_filter=wanted)}
    with open_service(load_settings(), now) as service:
        service.store.runs.bury()
        outcomes = service.store.runs.outcomes([run.id for run in unfinished])
    lost = {run.id: told for run in unfinished if (told := _lost(run, ours, outcomes, now)) is not None}
    for run_id, told in lost.items():
        logger.warning("flow run %s: %s", run_id, told)
        client.set_flow_run_state(run_id, Crashed(message=told), force=True)
    return list(lost)


def _lost(run: FlowRun, ours: Collection[UUID], outcomes: dict[UUID, str | None], now: datetime) -> str | None:
    if outcome := outcomes.get(run.id):
        return f"it ended as {outcome}, which Prefect was not told"
    since = run.state.timestamp if run.state is not None else run.created
    if run.deployment_id in ours and run.id not in outcomes and since is not None and now - since > LOST:
        return f"it did not begin to work within {LOST}"
    return None


def _reap_for_ever(names: Collection[str]) -> None:
    while True:
        time.sleep(REAP_EVERY_S)
        try:
            with get_client(sync_client=True) as client:
                reap(client, names, datetime.now(UTC))
        except (FortnightError, PrefectHTTPStatusError, OSError, RuntimeError) as error:
            logger.warning("lost runs could not be looked for: %s", error)


def _await_server() -> None:
    """A server that is started together with the worker takes its time."""
    began = time.monotonic()
    with get_client(sync_client=True) as client:
        while (failure := client.api_healthcheck()) is not None:
            if time.monotonic() - began > START_LIMIT_S:
                raise SystemExit(f"the Prefect server does not answer: {failure}")
            time.sleep(1)


def main() -> None:
    """Serve the schedules until stopped. Runs that came late are not skipped: the first does all, the others find nothing to do."""
    _await_server()
    found = deployments(load_settings())
    names = [each.name for each in found]
    threading.Thread(target=_reap_for_ever, args=(names,), daemon=True, name="reaper").start()
    if not found:
        logger.warning("no series is to be run: describe one in fortnight.toml, then start again")
        threading.Event().wait()
    prefect.serve(*found, limit=AT_ONCE, pause_on_shutdown=False, print_starting_message=False)


if __name__ == "__main__":
    main()
