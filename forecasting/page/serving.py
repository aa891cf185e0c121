"""Running the page."""

from collections.abc import Callable
from datetime import datetime

import uvicorn

from forecasting.page.app import create_app
from forecasting.settings import Settings
from forecasting.store.reader import Reader

GRACE_S = 5
"""So long a stop waits for answers that are under way."""
MOST_AT_ONCE = 64


def serve_page(settings: Settings, dsn: str, now: Callable[[], datetime]) -> None:
    """Serve until SIGTERM or SIGINT, in this process; returns once all answers under way are given.

    Nobody's address is logged, and headers of proxies are not believed.

    Args:
        dsn: the database, which need not be up yet; a login of role fortnight_reader suffices.
        now: the present moment (UTC).
    """
    uvicorn.run(
        create_app(Reader(dsn), settings, now), host=settings.serve.host, port=settings.serve.page_port, log_config=None,
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=MOST_AT_ONCE, ws="none", lifespan="off",
    )  # fmt: skip
