"""What people read: every question that they have is answered, and five hundred alerts are one message."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from forecasting.alerts.messages import Context, Message, duration, messages
from forecasting.domain import Finding
from forecasting.episodes import Episode, Kind, Notice, State
from forecasting.rules import RULES
from tests.alerts.builders import DAY, MESSAGE, START, finding

ZONES = {name: ZoneInfo("Australia/Melbourne") for name in ("vic", "north")}
HERE = Context(ZONES, "https://mlflow.example.org/")


def notice(given: Finding, kind: Kind = "firing", number: int = 17, ended: float | None = None) -> Notice:
    resolved = None if ended is None else START + ended * DAY
    state = State.FIRING if ended is None else State.RESOLVED
    return Notice(kind, Episode(given, state, START, START, START, fired_as_of=START, resolved_as_of=resolved, alert_id=number))


def one(*notices: Notice, context: Context = HERE) -> Message:
    (message,) = messages(notices, START + 3 * DAY, context)
    return message


def test_a_page_answers_what_since_when_how_bad_why_where_and_what_to_do() -> None:
    told = one(notice(finding(score=3.6, mlflow_run_id="abc123", picture="/state/drift.png", issue_id=5)))
    assert told.subject == "[fortnight] PAGE vic: readings are stale"
    for words in (
        f"What: {MESSAGE}",
        "Since: 2014-01-01 11:00 AEDT (2014-01-01 00:00Z)",
        "Likely cause: the feed is down",
        f"What to do: {RULES['readings_stale'].remedy}",
        "MLflow run: https://mlflow.example.org/#/runs/abc123",
        "Picture: /state/drift.png",
        "Forecast issue: 5",
        "fortnight ack 17 --note TEXT",
        "As of 2014-01-04 00:00Z",
    ):
        assert words in told.body
    assert (told.kind, told.severity, told.picture, told.alert_ids) == ("firing", "page", "/state/drift.png", (17,))


def test_a_finding_knows_a_better_remedy_and_without_a_ui_the_way_to_the_run_is_told() -> None:
    told = one(notice(finding(series_id=None, remedy="ask Ann", mlflow_run_id="abc123")), context=Context({}))
    assert told.subject == "[fortnight] PAGE all series: readings are stale"
    assert "What to do: ask Ann" in told.body
    assert "start 'fortnight mlflow', then http://127.0.0.1:5000/#/runs/abc123" in told.body
    assert "Since: 2014-01-01 00:00Z" in told.body


def test_the_end_tells_how_long_it_lasted_and_asks_for_nothing() -> None:
    told = one(notice(finding(), "resolved", ended=2.25))
    assert told.subject == "[fortnight] RESOLVED vic: readings are stale"
    assert "Lasted: 2 days 6 hours, from 2014-01-01 11:00 AEDT (2014-01-01 00:00Z) to 2014-01-03 17:00 AEDT" in told.body
    assert "What to do" not in told.body
    assert "ack" not in told.body


def test_an_escalation_says_so() -> None:
    assert one(notice(finding(), "escalated")).subject == "[fortnight] NOBODY ACKNOWLEDGED vic: readings are stale"


def test_many_of_one_rule_are_one_message_with_the_worst_first() -> None:
    notices = [notice(finding(series_id=f"s{number:03}", score=number), number=number) for number in range(500)]
    told = one(*notices)
    assert told.subject == "[fortnight] PAGE 500 series: readings are stale: s499, s498, s497 and 497 more"
    assert told.body.count(MESSAGE) == 10
    assert "... and 490 more: see 'fortnight alerts'" in told.body
    assert "fortnight ack --rule readings_stale" in told.body
    assert len(told.alert_ids) == 500
    assert len(told.body) < 3000


def test_rules_and_kinds_have_messages_of_their_own_and_all_that_can_wait_is_one_digest() -> None:
    told = messages(
        [
            notice(finding()),
            notice(finding("forecast_missing")),
            notice(finding(series_id="north"), "resolved", ended=1),
            notice(finding("bias_by_lead")),
            notice(finding("bias_by_lead", "north")),
            notice(finding("weather_missing"), "resolved", ended=1),
        ],
        START,
        HERE,
    )
    assert sorted(message.kind for message in told) == ["digest", "firing", "firing", "resolved"]
    digest = told[-1]
    assert digest.subject == "[fortnight] DIGEST alerts: 2 began, 1 ended"
    assert digest.severity == "digest"
    assert "2 series: forecasts lean to one side: north, vic" in digest.body
    assert "vic: weather is missing" in digest.body
    assert len(digest.alert_ids) == 3


def test_a_digest_of_one_thing_names_it() -> None:
    assert one(notice(finding("bias_by_lead"))).subject == "[fortnight] DIGEST vic: forecasts lean to one side"
    ended = one(notice(finding("bias_by_lead"), "resolved", ended=1))
    assert ended.subject == "[fortnight] DIGEST ended: vic: forecasts lean to one side"


def test_what_was_escalated_is_known_to_have_been_so_when_it_ends() -> None:
    ended = notice(finding(), "resolved", ended=1)
    later = replace(ended, episode=replace(ended.episode, escalated_as_of=START))
    assert (one(ended).escalated, one(later).escalated) == (False, True)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(0), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=125), "2 hours 5 minutes"),
        (timedelta(hours=24), "1 day"),
        (timedelta(days=3, hours=4, minutes=59), "3 days 4 hours"),
        (timedelta(days=-1), "less than a minute"),
    ],
)
def test_a_duration_is_told_in_words(length: timedelta, told: str) -> None:
    assert duration(length) == told
