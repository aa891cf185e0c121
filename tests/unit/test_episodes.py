"""What watches make of episodes: the cases by hand, and what must hold for any sequence of watches."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.domain import Finding
from forecasting.episodes import Episode, Policy, Scope, Silence, State, step
from forecasting.rules import RULES
from tests.alerts.builders import DAY, POLICY, START, finding

PATIENT = replace(POLICY, escalate_after=timedelta(days=1000))


class History:
    """Watches one after another, on a memory that keeps every episode."""

    def __init__(self, policy: Policy = PATIENT) -> None:
        self.policy = policy
        self.episodes: dict[int, Episode] = {}
        self.told: list[tuple[str, str, str | None, int]] = []

    def newest(self) -> dict[Scope, Episode]:
        return {episode.scope: episode for _, episode in sorted(self.episodes.items())}

    def watch(self, day: float, *findings: Finding, silences: Sequence[Silence] = ()) -> list[str]:
        found = step(self.newest(), findings, START + day * DAY, self.policy, silences)
        numbers = {}
        for episode in found.changed:
            number = episode.alert_id or len(self.episodes) + 1
            numbers[episode.scope] = number
            self.episodes[number] = replace(episode, alert_id=number)
        self.told += [(each.kind, *each.episode.scope, numbers[each.episode.scope]) for each in found.notices]
        return [each.kind for each in found.notices]

    def only(self) -> Episode:
        (episode,) = self.episodes.values()
        return episode


def judged(rule: str, bad: bool | None, day: float = 0, series_id: str | None = "vic") -> Finding:
    return finding(rule, series_id, bad, day)


def test_a_rule_fires_at_once_or_after_several_bad_watches_in_a_row() -> None:
    history = History()
    assert history.watch(0, judged("readings_stale", True), judged("gaps_growing", True)) == ["firing"]
    assert history.watch(1, judged("readings_stale", True), judged("gaps_growing", False)) == []
    assert history.watch(2, judged("readings_stale", False), judged("gaps_growing", True)) == ["resolved"]
    assert history.watch(3, judged("gaps_growing", True)) == ["firing"]


def test_what_cannot_be_judged_changes_nothing() -> None:
    history = History()
    history.watch(0, judged("readings_stale", True))
    before = history.only()
    assert history.watch(1, judged("readings_stale", None), judged("loss_drift", None)) == []
    assert history.only() == before


def test_it_is_over_after_several_good_watches_in_a_row() -> None:
    history = History()
    history.watch(0, judged("loss_drift", True))
    told = [history.watch(day, judged("loss_drift", bad)) for day, bad in enumerate([False, False, True, False, False], 1)]
    assert told == [[]] * 5
    assert history.watch(6, judged("loss_drift", False)) == ["resolved"]
    assert history.only().resolved_as_of == START + 6 * DAY


def test_the_first_since_and_the_newest_words_are_kept() -> None:
    history = History()
    history.watch(3, judged("readings_stale", True, day=1))
    history.watch(4, replace(judged("readings_stale", True, day=2), message="worse", score=9.0))
    assert (history.only().finding.since, history.only().finding.message) == (START + DAY, "worse")


def test_the_same_watch_again_and_an_older_one_change_nothing() -> None:
    history = History()
    history.watch(5, judged("gaps_growing", True))
    for day in (5, 4):
        assert history.watch(day, judged("gaps_growing", True)) == []
    assert history.only().times_bad == 1
    history.watch(6, judged("gaps_growing", True))
    for day in (6, 7, 7, 6.5):
        assert history.watch(day, judged("gaps_growing", False)) == []
    assert history.only().times_good == 1
    assert history.watch(8, judged("gaps_growing", False)) == ["resolved"]
    assert history.watch(7.5, judged("gaps_growing", True)) == [], "it was over later than that"
    assert len(history.episodes) == 1


def test_what_comes_again_soon_goes_on_without_another_page() -> None:
    history = History(POLICY)
    history.watch(0, judged("readings_stale", True))
    history.watch(0.5, judged("readings_stale", False))
    assert history.watch(2, judged("readings_stale", True)) == []
    assert history.only().state is State.FIRING
    assert history.watch(2.5, judged("readings_stale", False)) == [], "people think it is over, and so it is"
    assert history.watch(3, judged("readings_stale", True)) == []
    assert history.watch(4, judged("readings_stale", True)) == ["escalated"], "but if it stays, somebody must hear of it"
    assert history.watch(5, judged("readings_stale", False)) == ["resolved"]
    assert history.watch(8.1, judged("readings_stale", True)) == ["firing"], "after the cool-down it is a new one"
    assert len(history.episodes) == 2


def test_who_took_charge_is_still_in_charge_when_it_comes_again() -> None:
    history = History(POLICY)
    history.watch(0, judged("readings_stale", True))
    history.episodes[1] = replace(history.only(), state=State.ACKNOWLEDGED, acknowledged_by="ann")
    assert history.watch(1, judged("readings_stale", False)) == ["resolved"]
    assert history.watch(2, judged("readings_stale", True)) == []
    assert history.only().state is State.ACKNOWLEDGED
    assert history.watch(9, judged("readings_stale", True)) == []


def test_a_page_that_nobody_acknowledges_is_sent_once_more() -> None:
    history = History(POLICY)
    assert history.watch(0, judged("readings_stale", True), judged("bias_by_lead", True, series_id="north")) == ["firing", "firing"]
    assert history.watch(0.9) == []
    assert history.watch(1.0) == ["escalated"]
    assert history.watch(5.0, judged("readings_stale", True)) == []
    assert history.episodes[1].escalated_as_of == START + DAY
    assert history.episodes[2].escalated_as_of is None, "digests are not escalated"


def test_missing_readings_keep_judgements_quiet_until_they_are_there_again() -> None:
    history = History()
    stale, drifting = judged("readings_stale", True), judged("loss_drift_series", True)
    assert history.watch(0, stale, drifting, judged("loss_drift_series", True, series_id="north")) == ["firing", "firing"]
    assert {scope[1] for scope in history.newest()} == {"vic", "north"}
    kept = history.newest()["loss_drift_series", "vic"]
    assert (kept.state, kept.inhibited_by) == (State.PENDING, "readings_stale")
    assert history.watch(1, stale, drifting) == []
    assert history.watch(2, judged("readings_stale", False)) == ["resolved"], "not known to be bad without the inhibition"
    assert history.watch(3, drifting) == ["firing"]
    assert history.newest()["loss_drift_series", "vic"].inhibited_by is None


def test_a_pooled_inhibitor_is_for_every_series_and_one_series_is_not_for_the_pool() -> None:
    history = History()
    pooled = judged("loss_drift", True, series_id=None)
    history.watch(0, pooled, judged("loss_drift_series", True), judged("readings_stale", True, series_id="north"))
    assert [told[:3] for told in history.told] == [("firing", "loss_drift", None), ("firing", "readings_stale", "north")]
    assert history.newest()["loss_drift_series", "vic"].inhibited_by == "loss_drift"


def test_a_silence_delays_and_loses_nothing() -> None:
    history = History()
    stale = judged("readings_stale", True)
    assert history.watch(0, stale, silences=[Silence("readings_stale", None)]) == []
    assert history.watch(1, stale, silences=[Silence(None, "vic")]) == []
    assert history.watch(2, stale, silences=[Silence("readings_stale", "north"), Silence("gaps_growing", None)]) == ["firing"]
    assert history.watch(3, judged("readings_stale", False), silences=[Silence(None, "vic")]) == ["resolved"]


def test_a_replayed_past_tells_nothing_of_later_days() -> None:
    history = History()
    history.watch(5, judged("readings_stale", True), silences=[Silence(None, None)])
    assert history.watch(4) == []
    assert history.watch(5) == ["firing"]


def test_a_replayed_past_inhibits_nothing_of_later_days() -> None:
    history = History()
    history.watch(5, judged("loss_drift_series", True))
    history.watch(4, judged("readings_stale", True))
    assert history.newest()["loss_drift_series", "vic"].inhibited_by is None


def test_what_began_and_ended_in_silence_is_never_told() -> None:
    history = History()
    history.watch(0, judged("readings_stale", True), silences=[Silence(None, None)])
    assert history.watch(1, judged("readings_stale", False)) == []


def test_a_finding_of_no_rule_and_two_of_one_scope_are_mistakes() -> None:
    with pytest.raises(ValueError, match=r"unknown rule 'moon'.*RULES"):
        step({}, [replace(finding(), rule="moon")], START, POLICY)
    with pytest.raises(ValueError, match="two findings of rule readings_stale about vic"):
        step({}, [finding(), finding()], START, POLICY)


def test_an_episode_of_a_rule_that_is_no_more_does_no_harm() -> None:
    history = History(POLICY)
    history.watch(0, judged("readings_stale", True))
    history.episodes[1] = replace(history.only(), finding=replace(history.only().finding, rule="of_old"))
    assert history.watch(2, judged("feed_frozen", True)) == ["escalated", "firing"]


def test_rules_inhibit_rules_that_exist_and_never_each_other() -> None:
    for rule in RULES.values():
        assert rule.inhibits <= set(RULES)
        assert not any(rule.name in RULES[other].inhibits for other in rule.inhibits | {rule.name})
        assert rule.bad_watches >= 1
        assert rule.good_watches >= 1


WATCHED = [*product(("readings_stale", "gaps_growing", "loss_drift", "loss_drift_series"), ("vic", None))]
ONE = st.dictionaries(st.sampled_from(WATCHED), st.sampled_from([True, True, False, None]))
WATCHES = st.lists(
    st.tuples(st.sampled_from([-1.0, 0.0, 0.25, 1.0, 1.0, 1.0, 5.0]), ONE, st.booleans(), st.booleans()), max_size=25
)


def run_through(watches: Sequence[tuple[float, Mapping[Scope, bool | None], bool, bool]]) -> History:
    """Play watches: days since the one before, what was found, whether all is silent, whether somebody acknowledges afterwards."""
    history, day = History(POLICY), 0.0
    for ahead, found, silent, acknowledging in watches:
        day += ahead
        findings = [finding(rule, series_id, bad, day) for (rule, series_id), bad in found.items()]
        silences = [Silence(None, None)] if silent else []
        history.watch(day, *findings, silences=silences)
        before, told = dict(history.episodes), len(history.told)
        history.watch(day, *findings, silences=silences)
        assert (history.episodes, len(history.told)) == (before, told), "the same watch again changed something"
        if acknowledging:
            for number, episode in history.episodes.items():
                if episode.state is State.FIRING:
                    history.episodes[number] = replace(episode, state=State.ACKNOWLEDGED, acknowledged_by="ann")
        assert max(Counter(episode.scope for episode in history.episodes.values() if episode.is_open).values(), default=0) <= 1
    return history


@given(WATCHES)
def test_whatever_happens_people_are_told_in_order(watches: list[tuple[float, dict[Scope, bool | None], bool, bool]]) -> None:
    history = run_through(watches)
    for number, episode in history.episodes.items():
        kinds = [kind for kind, *_, alert_id in history.told if alert_id == number]
        assert kinds.count("firing") <= 1, "an episode pages once, except to escalate"
        assert kinds[:1] in ([], ["firing"])
        for earlier, later in pairwise(kinds):
            assert (earlier, later) in {
                ("firing", "escalated"),
                ("firing", "resolved"),
                ("escalated", "resolved"),
                ("resolved", "escalated"),
            }
        assert episode.told == (kinds[-1] if kinds else None)
        assert episode.is_open == (episode.resolved_as_of is None)
        assert episode.is_open or kinds[-1:] in ([], ["resolved"]), "the end of what was told is told"
        assert "escalated" not in kinds or episode.finding.severity == "page"


@given(WATCHES)
def test_in_the_end_all_is_well_again(watches: list[tuple[float, dict[Scope, bool | None], bool, bool]]) -> None:
    history = run_through(watches)
    for day in (1000, 1001, 1002):
        history.watch(day, *(finding(rule, series_id, False, day) for rule, series_id in WATCHED))
    assert not any(episode.is_open for episode in history.episodes.values())
    ends = Counter(alert_id for kind, *_, alert_id in history.told if kind == "resolved")
    begins = Counter(alert_id for kind, *_, alert_id in history.told if kind in ("firing", "escalated"))
    assert all(begins[number] >= count for number, count in ends.items())
    assert set(begins) == set(ends)
