"""The log for machines."""

import structlog

OF_PREFECT = ("flow_run_id", "flow_run_name", "task_run_id", "task_run_name")
"""What Prefect's own records tell besides; the id of a flow run is the `run_id`, too."""


class JsonLines(structlog.stdlib.ProcessorFormatter):
    """A line is `timestamp` (UTC), `level`, `logger`, `event`, and what is bound: `run_id`, `job`, `series_id`, `as_of`.

    Logging configurations make formatters with a format of theirs, which is not looked at.
    """

    speaks_json = True

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
