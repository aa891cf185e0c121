"""Runs, and the whole machine, that die without a word."""

import os
import random
import signal
import subprocess
import time

from forecasting.drills.sandbox import Sandbox, kill_group
from forecasting.drills.story import Story
from forecasting.jobs.lineage import verify
from forecasting.store import embedded
from forecasting.store.tally import Tally

KILLS_A_DAY = 5


def killed(sandbox: Sandbox, story: Story, times: int = KILLS_A_DAY, seed: int = 1) -> None:
    """SIGKILL at random moments of daily runs: some a day, then a run that is left alone, which completes the day."""
    moments = random.Random(seed)  # noqa: S311 - when to kill
    sandbox.describe(training={"every_days": 1})
    before, completed, early, length_s = sandbox.tally(), 0, 0, _length_s(sandbox, story)
    kill, number = 0, 2
    while kill < times:
        process = sandbox.start("daily", "--as-of", sandbox.day(number).isoformat())
        try:
            process.wait(moments.uniform(0.05, 1.0) * length_s)
            early += 1  # the run was over: no kill
        except subprocess.TimeoutExpired:
            kill_group(process)
            kill += 1
        _require_whole(sandbox, story)
        story.progress("kills", kill, times)
        if kill >= (number - 1) * KILLS_A_DAY or kill == times:
            story.disaster(f"day {number}: killed {kill} times so far")
            done = sandbox.daily(number)
            story.require(done.code == 0, f"the run after them ended with {done.code}: {done.last_line}")
            issue = sandbox.ready(sandbox.day(number))
            story.recovered(f"a run that was left alone made issue {issue.issue_id}, tier {issue.tier}")
            number, completed = number + 1, completed + 1
    after = _require_whole(sandbox, story)
    days = completed + 1
    made = (after.issues - before.issues, after.versions - before.versions, after.readings - before.readings)
    story.require(made == (days, 2 * days, 48 * days), f"issues, versions and readings of {days} days are {made}")
    _require_registered(sandbox, story, after, number - 1)
    story.step(
        f"{times} kills ({early} runs were over before theirs): {after.issues} whole issues, {after.partial_issues} partial, "
        f"{after.doubled_issues} doubled, {completed} of {completed} runs completed"
    )


def _length_s(sandbox: Sandbox, story: Story) -> float:
    """How long a run takes that is left alone."""
    done = sandbox.daily(1)
    story.require(done.code == 0, f"a run that was left alone ended with {done.code}: {done.last_line}")
    story.step(f"a run that is left alone takes {done.seconds:.1f} s")
    return done.seconds


def _require_whole(sandbox: Sandbox, story: Story) -> Tally:
    found = sandbox.tally()
    story.require(found.faults == 0, f"something is doubled or partial: {found}")
    return found


def _require_registered(sandbox: Sandbox, story: Story, after: Tally, number: int) -> None:
    """MLflow has the versions that Postgres has, and no run that never ended; the last issue comes out again bit for bit."""
    with sandbox.service(sandbox.day(number)) as service:
        client = service.registry.client
        runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
        alive = [run.info.run_id for run in runs if run.info.status != "FINISHED"]
        story.require(not alive, f"MLflow has runs that never ended: {alive}")
        versions = len(client.search_model_versions())
        story.require(versions == after.versions, f"MLflow has {versions} versions, Postgres {after.versions}")
        (verified,) = verify(service, [sandbox.ready(sandbox.day(number)).issue_id])
        story.require(verified.identical, f"the last issue does not come out again: {verified}")


def reboot(sandbox: Sandbox, story: Story) -> None:
    """Run and Postgres get SIGKILL at once, as when the power fails; what they left behind lies about at the next start."""
    sandbox.describe(training={"every_days": 1})
    moment, before = sandbox.day(1), sandbox.tally()
    process = sandbox.start("daily", "--as-of", moment.isoformat())
    with sandbox.store() as store:
        row = b"SELECT FROM fortnight.ingest_run WHERE as_of = %s"
        sandbox.wait("the ingest of the day", lambda: store.connection.execute(row, (moment,)).fetchone() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    embedded.kill(sandbox.home)
    process.wait()
    left = [name for name in ("postmaster.pid", embedded.SOCKET) if (sandbox.home / "postgres" / name).exists()]
    story.disaster(f"everything was killed in the middle of a retrain; left behind: {', '.join(left)}")
    story.require(left, "nothing was left behind, so this was no reboot")
    began_s = time.monotonic()
    done = sandbox.daily(1)
    story.require(done.code == 0, f"the next run ended with {done.code}: {done.last_line}")
    issue, after = sandbox.ready(moment), _require_whole(sandbox, story)
    story.recovered(
        f"started again, the run took {time.monotonic() - began_s:.1f} s and made issue {issue.issue_id}, tier {issue.tier}"
    )
    made = (after.issues - before.issues, after.versions - before.versions, after.readings - before.readings)
    story.require(made == (1, 2, 48), f"issues, versions and readings made are {made}, (1, 2, 48) were to be")
