"""The log: for people on a terminal, or one JSON object a line for machines. Both tell which run a line belongs to."""

import logging
from typing import Literal

from rich.console import Console
from rich.logging import RichHandler

LogFormat = Literal["human", "json"]
CHATTY = ("alembic", "mlflow", "matplotlib", "httpx")


def configure(form: LogFormat, console: Console) -> None:
    """Send our own log and other people's warnings to standard error.

    Args:
        console: where lines for people go.
    """
    handler: logging.Handler
    if form == "json":
        from forecasting.json_lines import JsonLines  # a tenth of a second, which quick commands do without

        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
    else:
        handler = RichHandler(console=console, show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def speaks_json() -> bool:
    """Whether the log has been told to."""
    return any(getattr(handler.formatter, "speaks_json", False) for handler in logging.getLogger().handlers)


def bind(**known: object) -> None:
    """Let every line from now on tell these."""
    import structlog

    structlog.contextvars.bind_contextvars(**known)
