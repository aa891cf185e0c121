"""Jobs go on by themselves after Postgres went away in the middle of them, since any job may be done again."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from forecasting.errors import ConnectionLost, Unreachable

logger = logging.getLogger(__name__)
PAUSES_S = (1, 2, 5, 10, 30)
"""Before each further try: a restart takes seconds, a failover most of a minute."""
Given = ParamSpec("Given")


def resumed(job: Callable[Given, None]) -> Callable[Given, None]:
    """The job, begun again with new connections where it lost them; a server that does not even answer at first is told at once.

    Raises:
        Unreachable: the server did not come back.
    """

    @wraps(job)
    def resuming(*args: Given.args, **kwargs: Given.kwargs) -> None:
        lost = False
        for pause_s in PAUSES_S:
            try:
                return job(*args, **kwargs)
            except Unreachable as error:
                lost = lost or isinstance(error, ConnectionLost)
                if not lost:
                    raise
                logger.warning("%s: going on in %d s", error.problem, pause_s)
                time.sleep(pause_s)
        return job(*args, **kwargs)

    return resuming
