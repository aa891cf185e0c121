"""Postgres goes away in the middle of work, or its disk is full."""

import os
import shutil
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from forecasting.drills.sandbox import Finished, Sandbox, need
from forecasting.drills.story import Story
from forecasting.store import embedded
from forecasting.store.tally import held_up, is_awaited

MIDDLES: tuple[tuple[str, str, Literal["fast", "immediate"]], ...] = (
    ("ingest", "ingest_run", "immediate"),
    ("retrain", "model_version", "fast"),
    ("publish", "forecast_issue", "immediate"),
    ("watch", "alert", "fast"),
)
"""Each job, a table that it writes to in its middle, and how Postgres goes down then."""


def postgres_restarted(sandbox: Sandbox, story: Story) -> None:
    """One daily run, in the middle of each of whose jobs Postgres is restarted."""
    sandbox.describe(training={"every_days": 1})
    moment, before, began_s = sandbox.day(1), sandbox.tally(), time.monotonic()
    dsn = embedded.ensure_running(sandbox.home)
    process = None
    for job, table, mode in MIDDLES:
        with held_up(dsn, table) as connection:
            process = process or sandbox.start("daily", "--as-of", moment.isoformat())
            sandbox.wait(f"{job} in its middle", lambda: is_awaited(connection, table))  # noqa: B023 - called at once
            embedded.stop(sandbox.home, mode)
            story.disaster(f"Postgres was stopped ({mode}) in the middle of {job}")
            embedded.ensure_running(sandbox.home)
    assert process is not None
    done = sandbox.finish(process, began_s)
    story.require(done.code == 0, f"the run ended with {done.code}: {done.last_line}")
    issue, after = sandbox.ready(moment), sandbox.tally()
    story.recovered(f"the same run ended well: {issue.leads} days by tier {issue.tier}")
    story.require(after.faults == 0, f"something is doubled or partial: {after}")
    made = (after.issues - before.issues, after.versions - before.versions, after.readings - before.readings)
    story.require(made == (1, 2, 48), f"issues, versions and readings made are {made}, (1, 2, 48) were to be")


def disk_full(sandbox: Sandbox, story: Story) -> None:
    """The disk that holds the state folder, Postgres included, is full; then there is room again. On the next day only the disks of
    MLflow and of the pictures are."""
    embedded.stop(sandbox.home)
    with closing(SmallDisk(sandbox.home)) as disk:
        try:
            _all_full(sandbox, story, disk)
        finally:
            embedded.stop(sandbox.home)
    with closing(SmallDisk(sandbox.home / "mlflow")) as files, closing(SmallDisk(sandbox.home / "pictures")) as pictures:
        files.fill()
        pictures.fill()
        sandbox.describe(training={"every_days": 1})
        story.disaster("the disks of MLflow and of the pictures are full")
        done = sandbox.daily(2)
        _require_told(story, done)
        issue = sandbox.ready(sandbox.day(2))
        story.recovered(f"the run ended with {done.code} ({done.last_line}), and made {issue.leads} days by tier {issue.tier}")


def _all_full(sandbox: Sandbox, story: Story, disk: "SmallDisk") -> None:
    before = sandbox.newest()
    assert before is not None
    disk.fill()
    story.disaster("the disk is full")
    done = sandbox.daily(1)
    story.step(f"the daily run ended after {done.seconds:.1f} s with {done.code}: {done.last_line}")
    _require_told(story, done)
    still = sandbox.newest()
    story.require(still == before, "the forecast of the day before cannot be read any more")
    story.step(f"issue {before.issue_id} of the day before can still be read")
    disk.free()
    story.disaster("there is room again")
    done = sandbox.daily(1)
    story.require(done.code == 0, f"the next run ended with {done.code}: {done.last_line}")
    issue = sandbox.ready(sandbox.day(1))
    story.recovered(f"the next run ended well: {issue.leads} days by tier {issue.tier}")
    story.require(sandbox.tally().faults == 0, f"something is doubled or partial: {sandbox.tally()}")


def _require_told(story: Story, done: Finished) -> None:
    errors = [line for line in done.told.splitlines() if line.startswith("error: ")]
    story.require("Traceback" not in done.told, f"a traceback was shown: {done.last_line}")
    story.require(done.code != 0 and errors, f"it ended with {done.code} and did not say what is wrong: {done.last_line}")
    said = any(word in done.last_line for word in ("No space left", "disk is full", "disk I/O"))
    story.require(said, f"it did not say that the disk is full: {done.last_line}")


class SmallDisk:
    """A small file system of its own in place of a folder, with what was in there, until it is closed.

    Raises:
        CannotPlay: this user, or this machine, does not allow mounting one.
    """

    ROOM_MB = 48

    def __init__(self, folder: Path) -> None:
        need(os.geteuid() == 0 and shutil.which("mount"), "root, to mount a small file system")
        self.folder, self.ballast = folder, folder / "ballast"
        self.aside = folder.with_name(f"{folder.name}.aside")
        used_mb = sum(path.lstat().st_size for path in folder.rglob("*")) // 2**20
        folder.rename(self.aside)
        folder.mkdir()
        mounted = _call("mount", "-t", "tmpfs", "-o", f"size={used_mb + self.ROOM_MB}m", "tmpfs", str(folder))
        if mounted.returncode:
            folder.rmdir()
            self.aside.rename(folder)
            need(None, f"a machine where root may mount a tmpfs ({mounted.stderr.strip()})")
        _call("cp", "-a", f"{self.aside}/.", str(folder))
        shutil.rmtree(self.aside)

    def fill(self) -> None:
        """To the last byte."""
        with suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(2**16))
        with suppress(OSError), self.ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"0")

    def free(self) -> None:
        """Make room again."""
        self.ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Back to the large disk, with everything that is on the small one."""
        self.free()
        _call("cp", "-a", str(self.folder), str(self.aside))
        _call("umount", "--lazy", str(self.folder))
        self.folder.rmdir()
        self.aside.rename(self.folder)


def _call(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands
