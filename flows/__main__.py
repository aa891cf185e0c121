"""`python -m flows daily`: one flow run here and now, on a temporary Prefect server unless PREFECT_API_URL names one."""

import signal
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from forecasting import errors
from forecasting.cli.options import AsOfOption, PathOption, SeriesOption, SourceOption
from forecasting.cli.running import complain, out, stop_at_once
from forecasting.errors import FlowError, FortnightError
from forecasting.report import show_latest
from forecasting.service import choose_series, open_service
from forecasting.settings import load_settings


class FlowName(StrEnum):
    DAILY = "daily"
    INGEST = "ingest"
    RETRAIN = "retrain"
    PUBLISH = "publish"
    WATCH = "watch"


def main(
    name: Annotated[FlowName, typer.Argument(help="Which flow.")] = FlowName.DAILY,
    source: SourceOption = None,
    path: PathOption = None,
    series: SeriesOption = None,
    as_of: AsOfOption = None,
) -> None:
    """Run a Prefect flow, then show the newest forecasts of its series."""
    try:
        settings = load_settings()
        whole_path = path.expanduser().absolute() if path else None
        choose_series(settings, source, whole_path, series or ())
        with open_service(settings, datetime.now(UTC)):
            pass  # a wrong option or database is told before Prefect is started
        code = run(name, source, whole_path, series, as_of)
        with open_service(settings, datetime.now(UTC)) as service:
            if code == 0 and name in (FlowName.DAILY, FlowName.PUBLISH):
                ids = service.store.readings.stored_ids() if name is FlowName.PUBLISH else None
                for given in choose_series(settings, source, whole_path, series or (), ids):
                    show_latest(out, service, given.id)
    except FortnightError as error:
        complain(error)
        code = error.exit_code
    sys.exit(code)


def run(name: FlowName, source: str | None, path: Path | None, series: list[str] | None, as_of: str | None) -> int:
    """Run a flow to its end and return the exit code that its state stands for.

    Raises:
        FlowError: the Prefect server that PREFECT_API_URL names does not answer.
    """
    from flows.daily import FLOWS  # Prefect is imported once the options are known to be sound

    signal.signal(signal.SIGINT, stop_at_once)
    _require_prefect()
    state = FLOWS[name](source=source, path=str(path) if path else None, series=series, as_of=as_of, return_state=True)
    if state.is_completed() and state.name != errors.AlreadyRunning.__name__:
        return 0
    kind = getattr(errors, state.name or "", None)
    complain(state.message or f"the flow ended as {state.name}")
    return kind.exit_code if isinstance(kind, type) and issubclass(kind, FortnightError) else 1


def _require_prefect() -> None:
    """A flow would ask a server that is down for two minutes, and end in a traceback."""
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if url is None:
        return
    with get_client(sync_client=True) as client:
        failure = client.api_healthcheck()
    if failure is not None:
        where = url.rsplit("@", 1)[-1]
        raise FlowError(
            f"Prefect at {where} does not answer ({type(failure).__name__})",
            "see that it is up, or run the same jobs without it: fortnight daily",
        )


if __name__ == "__main__":
    typer.run(main)
