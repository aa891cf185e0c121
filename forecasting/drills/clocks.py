"""The machine's clock is wrong by a day."""

from datetime import datetime, timedelta

from forecasting.drills.sandbox import Sandbox
from forecasting.drills.story import Story
from forecasting.jobs.clock import by_the_right_clock, look_at_clocks
from forecasting.jobs.daily import daily
from forecasting.store.clocks import clocks
from forecasting.store.forecasts import StoredIssue

DAY = timedelta(days=1)


def clock_wrong(sandbox: Sandbox, story: Story) -> None:
    """A day ahead and a day behind of the database's clock; then ahead together with it, right again, and the day after."""
    with sandbox.store() as store:
        present, _ = clocks(store.connection)
    sandbox.feed.present = present
    story.disaster("the machine's clock is a day ahead of the database's")
    issue, told = _run(sandbox, present + DAY)
    story.require("ahead" in told, f"nothing noticed it: {told}")
    story.require(abs(issue.readings_as_of - present) < DAY / 24, f"the issue is as of {issue.readings_as_of:%F %H:%M}Z")
    story.require((issue.tier, issue.reason) == ("champion", None), f"tier {issue.tier}, {issue.reason}")
    story.recovered(f"noticed ({told}), and the database's clock was believed: tier {issue.tier}, no fault")
    story.disaster("it is a day behind")
    again, told = _run(sandbox, present - DAY)
    story.require("behind" in told, f"nothing noticed it: {told}")
    story.require(again == issue, "another issue stands before the right one")
    story.recovered(f"noticed ({told}), and the forecast of the day still stands")
    story.disaster("both clocks are a day ahead")
    ahead, _ = _run(sandbox, present + DAY, all_clocks=True)
    story.require(ahead.feed_at_fault == "demand", "the forecast is not labelled")
    reach = ahead.origin + timedelta(days=ahead.leads)
    story.require(reach >= present + timedelta(days=13), f"the forecast ends on {reach:%F}")
    story.recovered(f"nobody can know, but the forecast says so: {ahead.reason}")
    _, told = _run(sandbox, present)
    story.require("behind the newest ingest" in told, f"nothing noticed it afterwards: {told}")
    story.step(f"right again, the next run notices: {told}")
    sandbox.feed.present = present + DAY
    after, _ = _run(sandbox, present + DAY, all_clocks=True)
    story.require((after.tier, after.reason) == ("champion", None), f"the day after: tier {after.tier}, {after.reason}")
    story.require(after.origin > issue.origin, "the issue of a wrong clock hides that of the day after")
    _require_all_readings(sandbox, story, present + DAY)
    story.step("the day after, the champion answers without a fault, and no reading was lost")


def _run(sandbox: Sandbox, machine: datetime, *, all_clocks: bool = False) -> tuple[StoredIssue, str]:
    """A daily run on a machine whose clock shows a moment; what consumers have then, and what was noticed."""
    with sandbox.service(machine) as opened:
        told = "; ".join(look_at_clocks(opened).complaints)
        service = opened if all_clocks else by_the_right_clock(opened)
        daily(service, sandbox.given, service.now)
    issue = sandbox.newest()
    assert issue is not None
    return issue, told


def _require_all_readings(sandbox: Sandbox, story: Story, until: datetime) -> None:
    series = sandbox.town
    with sandbox.store() as store:
        stored = store.readings.as_of(series, until, sandbox.day(0))
    length = series.interval
    wanted = (until - length - sandbox.day(0)) // length + 1
    story.require(len(stored) == wanted, f"{len(stored)} readings since day 0 are known, {wanted} were delivered")
