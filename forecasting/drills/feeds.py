"""Feeds that are down, late, or wrong."""

from forecasting.artefact import CARD, WEIGHTS, pack
from forecasting.domain import DAILY
from forecasting.drills.feed import DEMAND, WEATHER, Feed
from forecasting.drills.sandbox import TOWN, Sandbox
from forecasting.drills.story import Story
from forecasting.errors import FortnightError
from forecasting.jobs.daily import daily
from forecasting.jobs.tiers import Files
from forecasting.models import MODELS
from forecasting.service import demand_series
from forecasting.store.forecasts import StoredIssue
from forecasting.store.tally import misregister


def live(sandbox: Sandbox, number: int, *, late_days: int = 0) -> tuple[StoredIssue, str]:
    """The daily run of a day; the forecast after it, and what failed."""
    moment, told = sandbox.day(number), ""
    sandbox.feed.present = sandbox.day(number - late_days)
    with sandbox.service(moment) as service:
        try:
            daily(service, sandbox.given, moment)
        except FortnightError as error:
            told = str(error)
    return sandbox.ready(moment), told


def weather_down(sandbox: Sandbox, story: Story) -> None:
    """The weather feed answers 500, then refuses connections, then is well again."""
    sandbox.feed.status[WEATHER] = 500
    story.disaster("the weather feed answers with status 500")
    _blames(story, *live(sandbox, 1), feed="weather", words="temperature")
    away = Feed(sandbox.town, sandbox.day(0), sandbox.day(0))
    away.close()
    sandbox.describe(sandbox.series(TOWN, sandbox.feed.address, away.address))
    story.disaster("it refuses connections")
    _blames(story, *live(sandbox, 2), feed="weather", words="temperature")
    sandbox.feed.status.clear()
    sandbox.describe()
    _caught_up(story, *live(sandbox, 3))


def feed_down(sandbox: Sandbox, story: Story) -> None:
    """Demand cannot be had for three days, then it can."""
    sandbox.feed.status[DEMAND] = 503
    for number in (1, 2, 3):
        story.disaster(f"day {number}: the demand feed answers with status 503")
        _blames(story, *live(sandbox, number), feed="demand", words="day" if number > 1 else "")
    sandbox.feed.status.clear()
    before = sandbox.tally().readings
    _caught_up(story, *live(sandbox, 4))
    story.require(sandbox.tally().readings - before == 4 * 48, "not all readings of the four days have been caught up with")


def late_data(sandbox: Sandbox, story: Story) -> None:
    """The feed answers, but has nothing new: for a day, for five, for seventeen; then all of it comes."""
    for number, tier in ((1, "champion"), (5, "champion"), (17, "weekly_naive")):
        story.disaster(f"day {number}: the newest reading is {number} days old")
        issue, told = live(sandbox, number, late_days=number)
        _blames(story, issue, told or "nothing failed", feed="demand", words="old" if tier != "champion" else "day")
        story.require(issue.tier == tier, f"tier {issue.tier} answered, {tier} was promised")
    _caught_up(story, *live(sandbox, 18))


def bad_series(sandbox: Sandbox, story: Story) -> None:
    """Beside a good series one whose feed is gone, and one whose champion forecasts a thousand times too much."""
    gone, absurd = (sandbox.series(name, sandbox.feed.address) for name in ("gone", "absurd"))
    sandbox.describe(sandbox.given, gone, absurd, model={"candidates": ["weekly_naive"]})
    first, moment = sandbox.day(0), sandbox.day(1)
    sandbox.feed.present = first
    with sandbox.service(first) as service:
        for given in (gone, absurd):
            daily(service, given, first)
    sandbox.feed.present = moment
    story.step("two more series have a forecast of day 0")
    _make_absurd(sandbox, absurd.id)
    away = Feed(sandbox.town, sandbox.day(0), sandbox.day(0))
    away.close()
    sandbox.describe(sandbox.given, sandbox.series("gone", away.address), absurd, model={"candidates": ["weekly_naive"]})
    story.disaster("the feed of 'gone' refuses connections, the champion of 'absurd' forecasts a thousandfold")
    done = sandbox.daily(1)
    story.require(done.code == 2 and "Traceback" not in done.told, f"the run ended with {done.code}: {done.last_line}")
    story.require("gone" in done.last_line, f"the last line does not name the series that failed: {done.last_line}")
    issues = {name: sandbox.ready(moment, name) for name in ("gone", "absurd", TOWN)}
    for name, issue in issues.items():
        story.step(f"{name}: tier {issue.tier}, {issue.reason or 'no fault'}")
    story.require((issues[TOWN].tier, issues[TOWN].reason) == ("champion", None), "the good series suffered from the others")
    story.require(issues["gone"].feed_at_fault == "demand", "the series without a feed is not labelled")
    stopped = issues["absurd"].tier != "champion" and "implausible" in (issues["absurd"].reason or "")
    story.require(stopped, "the implausible forecast was not stopped")
    story.recovered("all three have a forecast of the day")


def _make_absurd(sandbox: Sandbox, series_id: str) -> None:
    """The champion's files are what is on record as registered, so no digest tells; but it forecasts in another unit."""
    moment = sandbox.day(1)
    with sandbox.service(moment) as service:
        series = next(demand_series(given) for given in service.settings.series if given.id == series_id)
        champion = service.store.versions.champion(service.store.readings.key(series), DAILY, moment)
        assert champion is not None
        model = Files(service).model(champion)
        for weights in model.forecaster.state_dict().values():
            weights.mul_(1000)
        broken = pack(model, MODELS[model.family].options(service.settings.model), series, {})
        for name, content in ((WEIGHTS, broken.weights), (CARD, broken.card)):
            for path in (sandbox.home / "mlflow").rglob(name):
                if champion.mlflow_run_id in str(path):
                    path.write_bytes(content)
        misregister(service.store.connection, champion.model_version_key, broken.weights_sha256, broken.card_sha256)


def _blames(story: Story, issue: StoredIssue, told: str, *, feed: str, words: str) -> None:
    story.require(told, "the run did not tell that anything failed")
    story.require(issue.feed_at_fault == feed, f"the forecast blames {issue.feed_at_fault}, {feed} is at fault")
    story.require(words in (issue.reason or ""), f"the reason does not say it: {issue.reason}")
    story.recovered(f"{issue.leads} days by tier {issue.tier}: {issue.reason}")


def _caught_up(story: Story, issue: StoredIssue, told: str) -> None:
    story.require(not told, f"it still fails: {told}")
    story.require((issue.tier, issue.reason) == ("champion", None), f"tier {issue.tier}, {issue.reason} is still told")
    story.step("all is back: the champion answers, without a fault")
