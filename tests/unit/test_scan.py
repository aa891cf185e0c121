"""The scan of daily levels, and realised losses beside those of others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.drift import State
from forecasting.settings import DriftSettings
from forecasting.watching.realised import NAIVE, RealisedLoss, judge_realised, pooled
from forecasting.watching.scan import Rise, scan

SETTINGS = DriftSettings()
SCAN = SETTINGS.realised
START = date(2014, 1, 1)
LENGTH = SCAN.reference_days[0] + 10


def dates(count: int) -> list[date]:
    return [START + timedelta(days=day) for day in range(count)]


def noise(count: int, sd: float = 0.3, seed: int = 0, alike: float = 0.0) -> np.ndarray:
    rng, found = np.random.default_rng(seed), np.zeros(count)
    for at in range(count):
        found[at] = alike * found[at - 1] + math.sqrt(1 - alike**2) * sd * rng.standard_normal()
    return found


def risen(days: int, by: float, sd: float = 0.05, seed: int = 0) -> np.ndarray:
    """Steady logarithms, the last `days` raised."""
    logs = noise(LENGTH, sd, seed)
    logs[LENGTH - days :] += math.log1p(by)
    return logs


def test_it_is_too_early_until_the_reference_is_large_enough() -> None:
    needed = SCAN.min_reference + SCAN.reference_days[1]
    assert scan(dates(needed - 1), np.zeros(needed - 1), SCAN) == Rise(State.TOO_EARLY, reference=SCAN.min_reference - 1)
    assert scan(dates(needed), np.zeros(needed), SCAN).state is State.STEADY
    assert scan([], np.zeros(0), SCAN).state is State.TOO_EARLY


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("days", [2, 5, 15])
def test_a_rise_is_found_with_its_size_and_its_first_day(seed: int, days: int) -> None:
    found = scan(dates(LENGTH), risen(days, 0.5, seed=seed), SCAN)
    assert found.state is State.DRIFTING
    assert found.rise == pytest.approx(0.5, abs=0.12)
    assert found.since is not None
    assert abs((found.since - (START + timedelta(days=LENGTH - days))).days) <= 1


def test_one_bad_day_is_none_however_bad() -> None:
    assert scan(dates(LENGTH), risen(1, 50.0), SCAN).state is State.STEADY


@pytest.mark.parametrize("bad", [4, 8, 20])
def test_an_alarm_ends_within_days_however_long_it_lasted(bad: int) -> None:
    logs = noise(LENGTH, 0.05)
    good = SCAN.lately_days // 2 + 1
    logs[LENGTH - good - bad : LENGTH - good] += math.log(2)
    assert scan(dates(LENGTH - good), logs[: LENGTH - good], SCAN).state is State.DRIFTING
    assert scan(dates(LENGTH), logs, SCAN).state is State.STEADY


@given(st.integers(0, 500), st.floats(0.0, 0.24), st.integers(1, 20))
def test_a_small_rise_never_alarms_however_quiet_the_days_before(seed: int, by: float, days: int) -> None:
    logs = noise(LENGTH, 0.001, seed)
    logs[LENGTH - days :] += math.log1p(by) - 0.02
    assert scan(dates(LENGTH), logs, SCAN).state is State.STEADY


@given(st.integers(0, 500), st.floats(-20, 20))
def test_only_changes_count_not_the_level(seed: int, level: float) -> None:
    logs = noise(LENGTH, 0.3, seed)
    one, other = scan(dates(LENGTH), logs, SCAN), scan(dates(LENGTH), logs + level, SCAN)
    assert (one.state, one.since) == (other.state, other.since)
    assert one.z == pytest.approx(other.z)


def test_days_that_err_alike_need_more_evidence() -> None:
    """The same rise among the same spread is less telling where neighbouring days go together."""
    z = {}
    for alike in (0.0, 0.6):
        logs = noise(LENGTH, 0.3, 5, alike)
        earlier = slice(LENGTH - 1 - SCAN.reference_days[0], LENGTH - SCAN.reference_days[1])
        logs = (logs - np.median(logs[earlier])) / logs[earlier].std() * 0.3
        logs[-10:] = math.log(2)
        z[alike] = scan(dates(LENGTH), logs, SCAN).z
    assert z[0.6] < 0.8 * z[0.0]


def test_holes_are_bridged() -> None:
    logs = risen(10, 1.0)
    kept = [at for at in range(LENGTH) if at % 5]
    found = scan([dates(LENGTH)[at] for at in kept], logs[kept], SCAN)
    assert found.state is State.DRIFTING
    assert found.since in {START + timedelta(days=LENGTH - 10 + extra) for extra in range(2)}


def test_a_rise_between_the_limits_is_for_the_digest() -> None:
    states = {scan(dates(LENGTH), risen(days, 0.45, sd=0.3, seed=1), SCAN).state for days in range(2, 21)}
    assert State.UNSETTLED in states


def rows(model: np.ndarray, others: Mapping[str, np.ndarray]) -> list[RealisedLoss]:
    return [
        RealisedLoss(day, float(model[at]), {name: float(each[at]) for name, each in others.items()})
        for at, day in enumerate(dates(len(model)))
    ]


def weather(seed: int = 3) -> np.ndarray:
    """What makes the loss of every forecaster large or small [days]."""
    return 2000 * np.exp(noise(LENGTH, 0.8, seed, 0.4))


def test_the_model_alone_got_worse_is_told_by_the_predecessor_before_weekly_naive() -> None:
    common = weather()
    model, before, naive = (common * np.exp(noise(LENGTH, sd, seed)) for sd, seed in ((0.05, 1), (0.05, 2), (0.7, 4)))
    model[-3:] *= 1.5
    found = judge_realised(rows(model, {"predecessor": before, NAIVE: naive}), SETTINGS)
    assert found.state is State.DRIFTING
    assert list(found.drifting) == ["predecessor"]
    assert found.against["predecessor"].since == dates(LENGTH)[-3]
    assert "against predecessor drifting: +5" in str(found)


def test_weather_that_troubles_all_is_no_drift() -> None:
    common = weather()
    common[-7:] *= 8
    model, before, naive = (common * np.exp(noise(LENGTH, 0.1, seed)) for seed in (1, 2, 4))
    assert judge_realised(rows(model, {"predecessor": before, NAIVE: naive}), SETTINGS).state is State.STEADY


def test_everyone_but_weekly_naive_got_worse_is_told_by_weekly_naive() -> None:
    common = weather()
    model, before, naive = (common * np.exp(noise(LENGTH, 0.2, seed)) for seed in (1, 2, 4))
    model[-10:] *= 2.5
    before[-10:] *= 2.5
    assert list(judge_realised(rows(model, {"predecessor": before, NAIVE: naive}), SETTINGS).drifting) == [NAIVE]


def test_a_yardstick_that_is_new_is_too_early_while_the_others_are_judged() -> None:
    losses = rows(np.full(LENGTH, 3.0), {NAIVE: np.full(LENGTH, 5.0)})
    losses[-1] = replace(losses[-1], others={**losses[-1].others, "newcomer": 4.0})
    found = judge_realised(losses, SETTINGS)
    assert found.against["newcomer"].state is State.TOO_EARLY
    assert found.against[NAIVE].state is found.state is State.STEADY
    assert judge_realised([], SETTINGS).state is State.TOO_EARLY


@pytest.mark.parametrize("unsound", [math.nan, math.inf, -1.0])
def test_losses_that_are_none_are_left_out(unsound: float) -> None:
    losses = rows(np.full(LENGTH, 3.0), {NAIVE: np.full(LENGTH, 5.0)})
    losses[30] = replace(losses[30], model=unsound)
    losses[40] = replace(losses[40], others={NAIVE: unsound})
    found = judge_realised(losses, SETTINGS).against[NAIVE]
    whole = SCAN.reference_days[0] - SCAN.reference_days[1] + 1
    assert (found.state, found.reference) == (State.STEADY, whole - 2)


def pool(each: Mapping[str, Sequence[RealisedLoss]], scales: Mapping[str, float]) -> list[RealisedLoss]:
    return pooled(each, scales, SETTINGS.pool_min_share)


def test_no_large_series_outweighs_the_pool() -> None:
    large, small = np.full(3, 90_000.0), np.full(3, 9.0)
    each = {"large": rows(large, {NAIVE: large}), "small": rows(3 * small, {NAIVE: small})}
    found = pool(each, {"large": 1e6, "small": 100.0})
    assert [row.day for row in found] == dates(3)
    assert found[0].model == pytest.approx((0.09 + 0.27) / 2)
    assert found[0].others[NAIVE] == pytest.approx(0.09)


def test_a_pooled_day_needs_enough_series_and_a_yardstick_all_of_them() -> None:
    one = rows(np.full(3, 3.0), {NAIVE: np.full(3, 5.0), "rival": np.full(3, 4.0)})
    two = [replace(row, others={NAIVE: 5.0}) for row in one[1:]]
    three = one[2:]
    found = pool({"a": one, "b": two, "c": three, "unknown scale": one}, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert [row.day for row in found] == dates(3)[1:], "one of three series is too few"
    assert all(set(row.others) == {NAIVE} for row in found)


@given(st.floats(0.01, 1e6), st.integers(0, 100))
def test_the_unit_of_a_series_does_not_move_the_pool(unit: float, seed: int) -> None:
    losses = np.exp(noise(6, 0.5, seed))
    other = rows(losses[::-1].copy(), {NAIVE: losses})
    plain = pool({"a": rows(losses, {NAIVE: losses[::-1].copy()}), "b": other}, {"a": 10.0, "b": 10.0})
    scaled = pool({"a": rows(unit * losses, {NAIVE: unit * losses[::-1]}), "b": other}, {"a": 10.0 * unit, "b": 10.0})
    assert [row.model for row in scaled] == pytest.approx([row.model for row in plain])
