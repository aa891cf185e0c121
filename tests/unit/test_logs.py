"""The log for machines: one JSON object a line, with the run that it belongs to."""

import json
import logging
import sys

import pytest
from rich.console import Console
from structlog.contextvars import bound_contextvars

from forecasting import logs


def configure(monkeypatch: pytest.MonkeyPatch, form: logs.LogFormat) -> None:
    """As in a process of its own: without the handlers of pytest."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    logs.configure(form, Console(file=sys.stderr))


def test_a_json_line_tells_the_run_and_what_it_is_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, "json")
    assert logs.speaks_json()
    with bound_contextvars(run_id="r-1", series_id="vic", job="ingest"):
        logging.getLogger("forecasting.jobs.ingest").info("%d new\nand a second line", 48)
    logging.getLogger("other").warning("without a run")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert {key: first[key] for key in ("event", "level", "logger", "run_id", "series_id", "job")} == {
        "event": "48 new\nand a second line",
        "level": "info",
        "logger": "forecasting.jobs.ingest",
        "run_id": "r-1",
        "series_id": "vic",
        "job": "ingest",
    }
    assert first["timestamp"].endswith("Z")
    assert "run_id" not in second


def test_a_traceback_stays_in_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    configure(monkeypatch, "json")
    try:
        int("what went wrong")
    except ValueError:
        logging.getLogger("forecasting").exception("it failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_for_people_there_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "human")
    assert not logs.speaks_json()
