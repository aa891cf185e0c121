"""The story of one series: ingest, retrain, publish. `watch` then looks at all of them."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from forecasting.errors import ConnectionLost, FortnightError, SettingsError
from forecasting.jobs import Progress, silent
from forecasting.jobs.ingest import ingest
from forecasting.jobs.publish import publish
from forecasting.jobs.retrain import retrain_if_due
from forecasting.jobs.runs import step
from forecasting.service import Service
from forecasting.settings import SeriesSettings
from forecasting.store.database import explained

logger = logging.getLogger(__name__)

STEPS: Mapping[str, Callable[[Service, SeriesSettings, datetime, Progress], object]] = {
    "ingest": ingest,
    "retrain": retrain_if_due,
    "publish": publish,
}
"""In order. Each stands on data at rest, so the next may be tried when one fails: a failed ingest makes a forecast staler, not
absent, and a failed retrain leaves the old champion."""

HOPELESS = SettingsError
"""After it, the steps that follow would fail for the same reason."""


def take(service: Service, name: str, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> object:
    """Run one step, written down in the run that the service belongs to."""
    return step(service, name, given.id, as_of, lambda: STEPS[name](service, given, as_of, progress))


def daily(service: Service, given: SeriesSettings, as_of: datetime, progress: Progress = silent) -> None:
    """Run every step.

    Raises:
        ConnectionLost: Postgres went away; all steps may be run again.
        FortnightError: the first failure, after the steps that could still be run were.
    """
    failure: FortnightError | None = None
    for name in STEPS:
        try:
            with explained(service.store.dsn):
                take(service, name, given, as_of, progress)
        except ConnectionLost:
            raise
        except FortnightError as error:
            logger.debug("%s: %s failed: %s", given.id, name, error)
            failure = failure or error
            if isinstance(error, HOPELESS):
                break
    if failure is not None:
        raise failure
