"""The schedule stops without a word: noticed from outside."""

import time
from datetime import datetime, timedelta

import psutil

from forecasting.drills.feed import Receiver
from forecasting.drills.sandbox import Sandbox, kill_group
from forecasting.drills.story import Story
from forecasting.jobs.status import ALARM, status
from forecasting.store.clocks import clocks

SILENCE_S = 3


def schedule_stops(sandbox: Sandbox, story: Story) -> None:
    """No run for three weeks and no Prefect: the caretaker begins one; then the caretaker dies, too."""
    with sandbox.store() as store:
        present, _ = clocks(store.connection)
    sandbox.feed.present = present
    receiver = Receiver()
    sandbox.feeds.append(receiver)
    serving = {
        "FORTNIGHT_SERVE__HEARTBEAT_URL": f"{receiver.address}/ping",
        "FORTNIGHT_SERVE__GRACE_MINUTES": "0.01",
    }
    story.require(_level(sandbox, present) == ALARM, "the status is no alarm, although nothing has run")
    story.disaster("nothing has run for weeks, and Prefect is not there: the status is an alarm")
    keeper = sandbox.start("serve", "caretaker", **serving)
    sandbox.wait("a run begun by the caretaker", lambda: _is_newer(sandbox, present))
    story.require(receiver.asked == 0, "the heartbeat was asked although the run was overdue")
    issue = sandbox.newest()
    assert issue is not None
    story.recovered(f"the caretaker began the run: {issue.leads} days by tier {issue.tier}")
    sandbox.wait("the end of that run", lambda: not _children(keeper.pid))
    kill_group(keeper)
    keeper = sandbox.start("serve", "caretaker", **serving)
    sandbox.wait("the heartbeat", lambda: receiver.asked > 0)
    story.step("started anew, the caretaker finds all done, and asks the heartbeat outside")
    kill_group(keeper)
    before = receiver.asked
    time.sleep(SILENCE_S)
    story.require(receiver.asked == before, "the heartbeat is asked by somebody else")
    story.require(_level(sandbox, present + timedelta(days=3)) == ALARM, "three days later the status is no alarm")
    story.step("the caretaker is dead: nobody asks the heartbeat, which raises alarm outside; so does the status, three days later")


def _level(sandbox: Sandbox, now: datetime) -> int:
    with sandbox.service(now) as service:
        return max(each.level for each in status(service, ()))


def _is_newer(sandbox: Sandbox, moment: datetime) -> bool:
    issue = sandbox.newest()
    return issue is not None and issue.readings_as_of >= moment


def _children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]
