"""Running the page."""

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 5
"""So long a stop waits for answers that are under way."""
MOST_AT_ONCE = 64


def serve_page(app: ASGIApp, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, in this process; returns once all answers under way are given.

    Nobody's address is logged, and headers of proxies are not believed.
    """
    uvicorn.run(
        app, host=host, port=port, log_config=None, access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S, limit_concurrency=MOST_AT_ONCE, ws="none", lifespan="off",
    )  # fmt: skip
