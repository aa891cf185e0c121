"""Alerts at the command line: seen, acknowledged, silenced, sent."""

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_httpserver import HTTPServer

from forecasting.domain import Finding
from forecasting.jobs.alerting import record
from forecasting.service import Service
from forecasting.settings import load_settings
from forecasting.store import Store, embedded
from tests.alerts.builders import MESSAGE, finding, register
from tests.journey.commands import fortnight, refused


def watched(folder: Path, findings: Sequence[Finding], hours_ago: float = 1, **alerts: object) -> None:
    """What a watch some hours ago leaves."""
    now = datetime.now(UTC)
    settings = load_settings(home=folder, alerts=alerts)
    with Store(embedded.ensure_running(folder)) as store:
        register(store, sorted({each.series_id for each in findings if each.series_id is not None}))
        record(Service(settings, store, now), findings, now - timedelta(hours=hours_ago))


def test_an_alert_from_its_page_to_its_end(folder: Path) -> None:
    calm = fortnight(folder, "alerts")
    assert (calm.returncode, calm.stdout.strip()) == (0, "no alerts"), calm.stderr
    watched(folder, [finding(score=3.0), finding("bias_by_lead", "north")], hours_ago=3)
    seen = fortnight(folder, "alerts", COLUMNS="80")
    assert seen.returncode == 2
    assert max(len(line) for line in seen.stdout.splitlines() if "readings_stale" in line) <= 80
    assert f"2 vic: {MESSAGE}" in seen.stdout
    assert "2 messages wait to be sent: fortnight notify" in seen.stdout
    about = fortnight(folder, "alerts", "2")
    assert about.returncode == 2
    for words in ("alert 2: readings_stale, firing", "2014-01-01 11:00 AEDT", "Likely cause: the feed is down", "What to do: run"):
        assert words in about.stdout
    told = json.loads(fortnight(folder, "alerts", "--json").stdout)
    assert [(each["alert_id"], each["rule"], each["series_id"], each["state"]) for each in told["alerts"]] == [
        (2, "readings_stale", "vic", "firing"),
        (1, "bias_by_lead", "north", "firing"),
    ]
    assert (told["level"], told["unsent"][0]["channel"]) == (2, "log")

    assert f"1 acknowledged by {getpass.getuser()}" in fortnight(folder, "ack", "2", "--note", "on it").stdout
    acknowledged = fortnight(folder, "alerts")
    assert acknowledged.returncode == 1
    assert f"(acknowledged by {getpass.getuser()}: on it)" in acknowledged.stdout
    watched(folder, [finding(bad=False), finding("bias_by_lead", "north", bad=False)], hours_ago=2)
    for hours_ago in (1.5, 1):
        watched(folder, [finding("bias_by_lead", "north", bad=False)], hours_ago)
    over = fortnight(folder, "alerts")
    assert over.returncode == 0
    assert over.stdout.count("resolved") == 2


def test_mistakes_about_alerts_are_one_line_with_the_remedy(folder: Path) -> None:
    watched(folder, [finding()])
    refused(fortnight(folder, "ack"), "name them by number", "--rule")
    refused(fortnight(folder, "ack", "7"), "there is no alert 7", "fortnight alerts")
    refused(fortnight(folder, "alerts", "7"), "there is no alert 7")
    refused(fortnight(folder, "silence", "--reason", "x", "--for", "2d"), "--rule or --series")
    refused(fortnight(folder, "silence", "--reason", "x", "--rule", "moon", "--for", "2d"), "unknown rule 'moon'", "readings_stale")
    quiet = ("silence", "--reason", "x", "--series", "vic")
    refused(fortnight(folder, *quiet), "either --for or --until")
    refused(fortnight(folder, *quiet, "--for", "long"), "--for 'long'", "30m, 12h, 2d or 1w")
    refused(fortnight(folder, *quiet, "--until", "2014-01-01"), "2013-12-31 13:00Z", "is over")
    refused(fortnight(folder, *quiet, "--until", "soon"), "until 'soon' is not a time")
    refused(fortnight(folder, "silence", "--reason", "x", "--series", "narnia", "--for", "1h"), "series 'narnia' is not stored")
    refused(fortnight(folder, "unsilence", "3"), "no silence 3 is in force", "fortnight silences")


def test_a_silence_keeps_a_monitor_calm_and_can_be_ended(folder: Path) -> None:
    watched(folder, [finding()])
    made = fortnight(folder, "silence", "--rule", "readings_stale", "--series", "vic", "--for", "2d", "--reason", "works [a]")
    assert made.returncode == 0, made.stderr
    assert "end it with: fortnight unsilence 1" in made.stdout
    listed = fortnight(folder, "silences").stdout
    assert "1 readings_stale of vic, until" in listed
    assert f"by {getpass.getuser()}: works [a]" in listed
    assert json.loads(fortnight(folder, "silences", "--json").stdout)[0]["rule"] == "readings_stale"
    silenced = fortnight(folder, "alerts")
    assert silenced.returncode == 1
    assert "silenced" in silenced.stdout
    assert fortnight(folder, "unsilence", "1").returncode == 0
    assert "no silences" in fortnight(folder, "silences").stdout
    assert fortnight(folder, "alerts").returncode == 2


def test_all_alerts_of_a_rule_are_acknowledged_at_once(folder: Path) -> None:
    watched(folder, [finding(series_id=f"s{number}") for number in range(60)] + [finding("feed_scale")])
    seen = fortnight(folder, "alerts").stdout
    assert "and 21 more: fortnight alerts --all" in seen
    assert "and 21 more" not in fortnight(folder, "alerts", "--all").stdout
    assert "60 acknowledged" in fortnight(folder, "ack", "--rule", "readings_stale", "--note", "the hub is down").stdout
    assert fortnight(folder, "alerts").returncode == 2, "one of another rule still fires"


def test_messages_are_sent_and_what_failed_is_shown(folder: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/hook/sesame").respond_with_data("no", status=500)
    httpserver.expect_ordered_request("/hook/sesame").respond_with_data("yes")
    hook = {"FORTNIGHT_ALERTS__CHANNELS__HOOK__URL": f"json://127.0.0.1:{httpserver.port}/hook/sesame"}
    watched(folder, [finding()], channels={"hook": {"url": "json://x"}})
    failed = fortnight(folder, "notify", **hook, FORTNIGHT_ALERTS__TRIES="1")
    assert failed.returncode == 1
    assert "1 messages sent, 1 given up" in failed.stdout
    shown = fortnight(folder, "alerts").stdout
    assert "GIVEN UP after 1 tries by hook: [fortnight] PAGE vic: readings are stale" in shown
    assert "error=500" in shown

    tried = fortnight(folder, "notify", "--test", **hook, FORTNIGHT_ALERTS__CHANNELS__DEAD__URL="json://127.0.0.1:9/sesame")
    assert tried.returncode == 1
    assert "log: ok" in tried.stdout
    assert "hook: ok" in tried.stdout
    assert "dead: FAILS: the message was not taken" in tried.stdout
    for done in (failed, tried):
        assert "sesame" not in done.stdout + done.stderr + shown
        assert "Traceback" not in done.stderr
