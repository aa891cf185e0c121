import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from forecasting.drift import Loss, State, judge
from forecasting.settings import DriftSettings
from tests.unit.builders import utc

SETTINGS = DriftSettings()
START = utc("2014-01-01 20:00")
YEAR, SERIES = 365, 20


def losses(ratios: Sequence[float] | np.ndarray, naive: Sequence[float] | np.ndarray | None = None) -> list[Loss]:
    """One loss a day, given as ratios to weekly naive."""
    levels = np.full(len(ratios), 3000.0) if naive is None else np.asarray(naive)
    return [
        Loss(START + timedelta(days=n), float(r * level), float(level))
        for n, (r, level) in enumerate(zip(ratios, levels, strict=True))
    ]


def steady(days: int, seed: int = 0, sd: float = 0.1) -> np.ndarray:
    return 0.7 * np.exp(sd * np.random.default_rng(seed).standard_normal(days))


def states(history: Sequence[Loss], settings: DriftSettings = SETTINGS) -> list[State]:
    """What is judged from day to day. No verdict looks further back than the reference."""
    reach = settings.reference_days[0] + 1
    return [judge(history[max(0, end - reach) : end], settings).state for end in range(1, len(history) + 1)]


def test_no_losses_are_too_early_to_judge() -> None:
    assert judge([], SETTINGS).state is State.TOO_EARLY


def test_it_is_too_early_until_the_reference_is_large_enough() -> None:
    early = SETTINGS.min_reference + SETTINGS.reference_days[1] - 1
    assert states(losses(steady(early + 1))) == [State.TOO_EARLY] * early + [State.STEADY]
    verdict = judge(losses(steady(20)), SETTINGS)
    assert (verdict.rise, verdict.z, verdict.reference) == (None, None, 12)
    assert "12 earlier losses" in str(verdict)


def test_the_newest_losses_are_no_reference_for_themselves() -> None:
    history = losses(np.concatenate([np.full(60, 0.7), np.full(8, 1.4)]))
    assert judge(history, SETTINGS).rise == pytest.approx(1.0)


def test_steady_noise_is_steady() -> None:
    assert set(states(losses(steady(90)))) == {State.TOO_EARLY, State.STEADY}


@pytest.mark.parametrize("seed", range(10))
def test_a_rise_by_half_is_found_within_five_days(seed: int) -> None:
    ratios = steady(75, seed, sd=0.05)
    ratios[70:] *= 1.5
    found = states(losses(ratios))
    assert State.DRIFTING not in found[:72]
    assert State.DRIFTING in found[70:]
    verdict = judge(losses(ratios), SETTINGS)
    assert 0.25 < verdict.rise < 0.8
    assert "drifting" in str(verdict)


def test_an_alarm_ends_with_the_rise() -> None:
    ratios = steady(90, sd=0.05)
    ratios[70:74] *= 2
    found = states(losses(ratios))
    assert found[73] is State.DRIFTING
    assert found[80] is State.STEADY


def test_a_single_spike_is_no_drift() -> None:
    ratios = steady(90)
    ratios[70] *= 10
    assert State.DRIFTING not in states(losses(ratios))


def test_a_fall_is_no_drift() -> None:
    ratios = steady(90)
    ratios[70:] /= 3
    assert State.DRIFTING not in states(losses(ratios))


def test_a_loss_that_rises_together_with_weekly_naive_is_no_drift() -> None:
    season = 3000 * (1 + np.clip(np.arange(120) - 60, 0, 30) / 10)
    assert season.max() == 4 * season.min()
    assert State.DRIFTING not in states(losses(steady(120), season))


def test_a_small_rise_is_no_drift_however_quiet_the_reference() -> None:
    ratios = np.concatenate([np.full(60, 0.7), np.full(10, 0.7 * 1.2)])
    verdict = judge(losses(ratios), SETTINGS)
    assert verdict.state is State.STEADY
    assert verdict.z == pytest.approx(math.log(1.2) / 0.05)


def test_a_large_rise_is_no_drift_where_losses_always_scatter_that_much() -> None:
    ratios = steady(70, seed=3, sd=0.8)
    ratios[65:] = 0.7 * 1.5
    assert judge(losses(ratios), SETTINGS).state is State.STEADY


def test_days_without_a_retrain_are_bridged() -> None:
    history = [loss for n, loss in enumerate(losses(steady(80))) if n % 7 != 3]
    assert judge(history, SETTINGS).state is State.STEADY


def test_losses_from_before_a_long_pause_are_not_recent() -> None:
    ratios = steady(75, sd=0.05)
    ratios[58:61] *= 3
    history = losses(ratios)
    assert State.DRIFTING in states(history[:61])
    assert judge([*history[:61], history[72]], SETTINGS).state is State.STEADY


def test_a_perfect_model_can_be_judged() -> None:
    assert judge(losses(np.zeros(80)), SETTINGS).state is State.STEADY


def test_false_alarms_on_steady_noise_are_rare() -> None:
    episodes = 0
    for seed in range(SERIES):
        found = states(losses(steady(YEAR, seed, sd=0.15)))
        episodes += sum(now is State.DRIFTING and before is not State.DRIFTING for before, now in pairwise(found))
    assert episodes <= 2, f"{episodes} false alarms in {SERIES} years of steady noise: {episodes / SERIES:.2f} a year"
