"""MLflow or Prefect is down."""

import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import requests

from forecasting.drills.sandbox import Sandbox, free_port, kill_group
from forecasting.drills.story import Story
from forecasting.errors import FortnightError
from forecasting.jobs.daily import daily

UP_LIMIT_S = 90


def mlflow_down(sandbox: Sandbox, story: Story) -> None:
    """The tracking server is killed in the middle of a retrain, is still down on the next day, and comes back on the third."""
    port = free_port()
    uri, before = f"http://127.0.0.1:{port}", sandbox.tally()
    server = _mlflow(sandbox, port)
    story.step("an MLflow server runs")
    sandbox.describe(training={"every_days": 1})
    process = sandbox.start("daily", "--as-of", sandbox.day(1).isoformat(), FORTNIGHT_MLFLOW_TRACKING_URI=uri)
    sandbox.wait("a retrain that MLflow knows of", lambda: _unfinished(sandbox.home / "mlflow" / "mlflow.db") > 0)
    kill_group(server)
    story.disaster("MLflow was killed in the middle of the retrain")
    done = sandbox.finish(process)
    story.require(done.code == 2 and "Traceback" not in done.told, f"the run ended with {done.code}: {done.last_line}")
    story.require("MLflow" in done.last_line, f"the last line does not name MLflow: {done.last_line}")
    _require_copy(sandbox, story, 1)
    story.disaster("day 2: MLflow is still down")
    story.require("MLflow" in _failure(sandbox, 2, uri), "the run did not tell that MLflow is down")
    _require_copy(sandbox, story, 2)
    server = _mlflow(sandbox, port)
    story.step("MLflow is back")
    failure = _failure(sandbox, 3, uri)
    story.require(not failure, f"day 3 still fails: {failure}")
    issue, after = sandbox.ready(sandbox.day(3)), sandbox.tally()
    story.require((issue.tier, issue.reason) == ("champion", None), f"tier {issue.tier}, {issue.reason} is still told")
    story.require(after.versions - before.versions == 2 and after.faults == 0, f"the retrain was not caught up with once: {after}")
    story.step("the retrain is caught up with; the champion answers, without a fault")
    kill_group(server)


def _mlflow(sandbox: Sandbox, port: int) -> subprocess.Popen[str]:
    server = sandbox.start("serve", "mlflow", FORTNIGHT_SERVE__MLFLOW_PORT=str(port))
    sandbox.wait("MLflow", lambda: answers(f"http://127.0.0.1:{port}/health"), UP_LIMIT_S)
    return server


def answers(url: str) -> bool:
    """Whether a server answers well."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _unfinished(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()[0])


def _failure(sandbox: Sandbox, number: int, uri: str) -> str:
    moment = sandbox.feed.present = sandbox.day(number)
    with sandbox.service(moment, mlflow_tracking_uri=uri) as service:
        try:
            daily(service, sandbox.given, moment)
        except FortnightError as error:
            return str(error)
    return ""


def _require_copy(sandbox: Sandbox, story: Story, number: int) -> None:
    issue = sandbox.ready(sandbox.day(number))
    story.require(
        (issue.tier, issue.feed_at_fault) == ("champion", "registry"), f"tier {issue.tier}, {issue.feed_at_fault} is blamed"
    )
    story.recovered(f"the champion's copy in Postgres answers: {issue.reason}")


def prefect_down(sandbox: Sandbox, story: Story) -> None:
    """The Prefect server is down at the time of the run, which goes without it; back again, it finds the work done."""
    moment, before = sandbox.day(1).isoformat(), sandbox.tally()
    port = free_port()
    api = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    flow = sandbox.start("daily", "--as-of", moment, module="flows", **api)
    story.disaster("the flow was started, and the Prefect server that it wants is down")
    began_s = time.monotonic()
    done = sandbox.daily(1)
    story.require(done.code == 0, f"the same jobs without Prefect ended with {done.code}: {done.last_line}")
    issue = sandbox.ready(sandbox.day(1))
    story.recovered(f"the same jobs without Prefect made {issue.leads} days by tier {issue.tier}")
    ended = sandbox.finish(flow, began_s)
    story.require(
        ended.code not in (0, None) and "Traceback" not in ended.told, f"the flow ended with {ended.code}: {ended.last_line}"
    )
    story.require("Prefect" in ended.last_line, f"the flow did not say that Prefect is down: {ended.last_line}")
    story.step(f"the flow gave up after {ended.seconds:.0f} s: {ended.last_line}")
    server = sandbox.start("serve", "prefect", FORTNIGHT_SERVE__PREFECT_PORT=str(port))
    sandbox.wait("Prefect", lambda: answers(f"http://127.0.0.1:{port}/api/health"), UP_LIMIT_S)
    story.step("Prefect is back")
    again = sandbox.finish(sandbox.start("daily", "--as-of", moment, module="flows", **api))
    story.require(again.code == 0, f"the flow ended with {again.code}: {again.last_line}")
    after = sandbox.tally()
    story.require((after.issues - before.issues, after.faults) == (1, 0), f"something was doubled: {after}")
    story.step("its flow ended well, and nothing was doubled")
    kill_group(server)
