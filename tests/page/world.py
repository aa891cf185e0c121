"""A database full of published things, seen through a reader's login, and the page over it, served on loopback."""

import secrets
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import requests
import uvicorn
from psycopg.conninfo import make_conninfo
from starlette.applications import Starlette

from forecasting.store import Store, embedded
from forecasting.store.database import connect
from forecasting.store.runs import NewRun
from tests.servers import run_tcp_server
from tests.store.builders import add_version, new_version, score_row, series
from tests.store.contract_world import World, build, midnight, publish_issue

NOW = datetime(2014, 11, 9, 19, 30, tzinfo=UTC)
"""Half past six in Melbourne, on 10 November."""
HOSTILE = '<script>alert("x")</script> & $x^2$'
MESSAGE = "<img src=x onerror=alert(1)> coverage is off"
ALERT = """
    INSERT INTO fortnight.alert (series_key, rule, severity, state, since, pending_as_of, fired_as_of, last_bad_as_of, judged_as_of,
                                 resolved_as_of, resolved_at, message, cause, remedy, mlflow_run_id, times_bad, acknowledged_by,
                                 acknowledged_at)
    VALUES (%(key)s, %(rule)s, %(severity)s, %(state)s, %(since)s, %(since)s, %(since)s, %(since)s, %(since)s, %(until)s, %(until)s,
            %(message)s, %(cause)s, %(remedy)s, 'run2', 1, %(by)s,
            CASE WHEN %(by)s::text IS NOT NULL THEN %(since)s::timestamptz END)
"""
REMEDY = "roll back: fortnight rollback"
SEVEN_SECONDS = "UPDATE fortnight.run_step SET started_at = %(at)s, ended_at = %(at)s + interval '7 seconds'"
PREDECESSOR = """
    INSERT INTO fortnight.predecessor_value (issue_id, lead, model_version_key, q10, q50, q90)
    SELECT issue_id, lead, (SELECT min(model_version_key) FROM fortnight.model_version), q10 * 1.01, q50 * 1.01, q90 * 1.01
    FROM fortnight.forecast_value WHERE origin >= %s ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Seen:
    """The world, its owner's database and a reader's way to it."""

    world: World
    owner: str
    reader: str


@contextmanager
def seen_by_a_reader() -> Iterator[Seen]:
    """On a server of its own, over TCP with passwords: the page's login is a reader's, so nothing private can be of help."""
    home, password = Path(tempfile.mkdtemp(prefix="fn-")), secrets.token_urlsafe(12)
    with run_tcp_server(embedded.BINARIES, home, password=secrets.token_urlsafe(12)) as address:
        with connect(make_conninfo(address, dbname="postgres")) as connection:
            connection.execute("CREATE DATABASE power")
        owner = make_conninfo(address, dbname="power")
        with Store(owner) as store:
            world = fill(store, owner)
            store.access.grant("the_page", "reader", password)
        yield Seen(world, owner, make_conninfo(owner, user="the_page", password=password))
    shutil.rmtree(home)


def fill(store: Store, dsn: str) -> World:
    """The world of the contract, ten more weeks of forecasts in it, and all else that a page shows."""
    world = build(store, dsn)
    random, key = np.random.default_rng(2), store.readings.key(series())
    third = add_version(store, new_version(key, 3, NOW - timedelta(days=20)),
                        [score_row("candidate", 900.0, 3), score_row("weekly_naive", 1500.0)])  # fmt: skip
    for day in pd.date_range("2014-08-26", "2014-11-10"):
        if not pd.Timestamp("2014-09-25") <= day <= pd.Timestamp("2014-10-10"):
            publish_issue(store, world, key, midnight(day), third.model_version_key, None, random, draws=0)
    store.connection.execute(PREDECESSOR, (midnight("2014-08-20"),))
    store.readings.register(replace(series("hostile"), name=HOSTILE))
    hostile = store.readings.key(series("hostile"))
    kinds = [
        (None, "loss_drift", "page", "firing"),
        (key, "coverage_off", "digest", "acknowledged"),
        (key, "bias_by_lead", "digest", "resolved"),
        (hostile, "feed_frozen", "page", "resolved"),
    ]
    for number, (whose, rule, severity, state) in enumerate(kinds):
        since = NOW - timedelta(days=9 - number)
        until = since + timedelta(days=1) if state == "resolved" else None
        by = "ann" if state == "acknowledged" else None
        facts = {"key": whose, "rule": rule, "severity": severity, "state": state, "since": since, "until": until, "by": by}
        store.connection.execute(ALERT, {**facts, "message": MESSAGE, "cause": "version 3 is worse", "remedy": REMEDY})
    with store.recorded(NewRun(uuid.uuid4(), "flow", "here", 1)):
        row = store.connection.execute("SELECT run_id FROM fortnight.run").fetchone()
        assert row is not None
        for job, outcome in (("ingest", "done"), ("publish", "failed")):
            step = store.runs.begin_step(uuid.UUID(str(row[0])), job, "vic", NOW)
            store.runs.end_step(step, outcome, f"{job} told <b>this</b>")
    store.connection.execute(SEVEN_SECONDS, {"at": NOW})
    return world


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address of an application, served by uvicorn on a free port of loopback."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def wait_for(came: Callable[[], bool], limit_s: float = 30) -> None:
    deadline = time.monotonic() + limit_s
    while not came():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.02)


def get(url: str, **how: object) -> requests.Response:
    return requests.get(url, timeout=30, **how)  # type: ignore[arg-type]
