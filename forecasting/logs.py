"""The log: for people on a terminal, or one JSON object a line for machines. Both tell which run a line belongs to."""

import logging
from typing import Literal

import structlog
from rich.console import Console
from rich.logging import RichHandler

LogFormat = Literal["human", "json"]
CHATTY = ("alembic", "mlflow", "matplotlib", "httpx")
OF_PREFECT = ("flow_run_id", "flow_run_name", "task_run_id", "task_run_name")
"""What Prefect's own records tell besides; the id of a flow run is the `run_id`, too."""


def configure(form: LogFormat, console: Console) -> None:
    """Send our own log and other people's warnings to standard error.

    Args:
        console: where lines for people go.
    """
    handler: logging.Handler
    if form == "json":
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
    else:
        handler = RichHandler(console=console, show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(structlog.stdlib.ProcessorFormatter):
    """A line is `timestamp` (UTC), `level`, `logger`, `event`, and what is bound: `run_id`, `job`, `series_id`, `as_of`.

    Logging configurations make formatters with a format of theirs, which is not looked at.
    """

    def __init__(self, *_format: object) -> None:
        super().__init__(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=OF_PREFECT),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        )


def speaks_json() -> bool:
    """Whether the log has been told to."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def bind(**known: object) -> None:
    """Let every line from now on tell these."""
    structlog.contextvars.bind_contextvars(**known)
