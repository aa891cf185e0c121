"""Demand, its shape and temperature beside the same season before; bands and biases."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecasting.drift import State
from forecasting.history import History
from forecasting.settings import BandSettings, InputSettings
from forecasting.watching.band import EDGE, coverage_limits, judge_bands
from forecasting.watching.inputs import Input, Moved, judge_inputs, missing_temperature
from tests.unit.builders import clock_history_of, seasonal_slots
from tests.unit.real import victoria

SETTINGS = InputSettings()
BANDS = BandSettings()


@pytest.fixture(scope="module")
def vic(vic_csv: Path) -> History:
    return victoria(vic_csv)


def judged(history: History) -> dict[Input, Moved]:
    return {moved.of: moved for moved in judge_inputs(history, SETTINGS)}


def test_two_real_years_with_the_record_heat_wave_have_not_moved(vic: History) -> None:
    for until in range(400, len(vic) + 1, 7):
        for moved in judge_inputs(vic.before(until), SETTINGS):
            assert moved.state is State.STEADY, f"{vic.days[until - 1]:%F}: {moved}"


def test_the_first_year_is_too_early_to_judge(vic: History) -> None:
    assert {moved.state for moved in judge_inputs(vic.before(364), SETTINGS)} == {State.TOO_EARLY}


def louder(history: History, begin: int) -> History:
    demand = history.demand_mwh.copy()
    demand[begin:] *= 1.25
    return replace(history, demand_mwh=demand)


def quieter(history: History, begin: int) -> History:
    demand = history.demand_mwh.copy()
    demand[begin:] *= 0.75
    return replace(history, demand_mwh=demand)


def sunnier(history: History, begin: int) -> History:
    """Rooftop solar takes an eighth of the demand from ten to four."""
    demand = history.demand_mwh.copy()
    demand[begin:, 20:32] *= 0.75
    return replace(history, demand_mwh=demand)


def warmer(history: History, begin: int) -> History:
    assert history.temperature_c is not None
    warmth = history.temperature_c.copy()
    warmth[begin:] += 10
    return replace(history, temperature_c=warmth)


@pytest.mark.parametrize(
    ("change", "of", "sign"),
    [(louder, Input.DEMAND, 1), (quieter, Input.DEMAND, -1), (sunnier, Input.SHAPE, 1), (warmer, Input.TEMPERATURE, 1)],
)
@pytest.mark.parametrize("begin", [500, 650, 800, 1000])
def test_what_moved_is_named(vic: History, change: Callable[[History, int], History], of: Input, sign: int, begin: int) -> None:
    found = judged(change(vic, begin).before(begin + SETTINGS.days))
    assert found[of].state is State.DRIFTING
    assert np.sign(found[of].distance or 0) == sign
    others = {Input.DEMAND, Input.SHAPE, Input.TEMPERATURE} - {of}
    assert all(found[other].state is State.STEADY for other in others if of is not Input.SHAPE)


def test_the_distance_is_told_in_the_unit_of_what_moved(vic: History) -> None:
    before, after = (judged(history.before(1014)) for history in (vic, louder(vic, 1000)))
    assert 1 + (after[Input.DEMAND].distance or 0) == pytest.approx(1.25 * (1 + (before[Input.DEMAND].distance or 0)))
    before, after = (judged(history.before(1014)) for history in (vic, warmer(vic, 1000)))
    assert (after[Input.TEMPERATURE].distance or 0) - (before[Input.TEMPERATURE].distance or 0) == pytest.approx(10)
    assert "C from what the season was like" in str(after[Input.TEMPERATURE])


def test_without_temperature_none_is_judged_and_all_of_it_is_missing() -> None:
    history = clock_history_of(seasonal_slots(500, slots=24))
    assert {moved.of for moved in judge_inputs(history, SETTINGS)} == {Input.DEMAND, Input.SHAPE}
    assert missing_temperature(history, 14) == 1.0


def test_missing_temperatures_are_counted_and_not_taken_for_cold(vic: History) -> None:
    assert vic.temperature_c is not None
    warmth = vic.temperature_c.copy()
    warmth[-7:] = np.nan
    history = replace(vic, temperature_c=warmth)
    assert missing_temperature(history, 14) == 0.5
    assert judged(history)[Input.TEMPERATURE].state is not State.DRIFTING


def errors(days: int, alike: float, seed: int, leads: int = 14) -> np.ndarray:
    """Of days that follow each other alike, the same for all leads: [days, leads], unit variance."""
    rng = np.random.default_rng(seed)
    found = np.empty(days)
    found[0] = rng.standard_normal()
    for day in range(1, days):
        found[day] = alike * found[day - 1] + np.sqrt(1 - alike**2) * rng.standard_normal()
    return np.repeat(found[:, None], leads, axis=1)


def bands(error: np.ndarray, half: float = EDGE, lean: float = 0.0) -> list[State]:
    flat = np.full_like(error, 100.0 - lean)
    return [band.state for band in judge_bands(100 + error, flat - half, flat, flat + half, BANDS)]


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.8])
def test_true_bands_are_rarely_called_off_however_alike_days_are(alike: float) -> None:
    off = [State.UNSETTLED in bands(errors(182, alike, seed)) for seed in range(100)]
    assert np.mean(off) <= 0.05


@pytest.mark.parametrize("half", [EDGE / 2, EDGE * 3])
def test_bands_half_or_three_times_as_wide_are_called_off(half: float) -> None:
    off = [bands(errors(182, 0.2, seed), half).count(State.UNSETTLED) for seed in range(20)]
    assert np.mean(np.array(off) == 3) >= 0.75


def test_a_lean_of_half_the_band_is_called_off_and_told_with_its_sign() -> None:
    error = errors(182, 0.2, 1)
    assert set(bands(error, lean=0.7)) == {State.UNSETTLED}
    flat = np.full_like(error, 98.0)
    (first, *_) = judge_bands(100 + error, flat - EDGE, flat, flat + EDGE, BANDS)
    assert first.bias == pytest.approx(0.02, abs=0.004)
    assert (first.z or 0) > BANDS.z_limit


def test_limits_of_independent_days_are_those_of_coin_tosses_and_widen_with_likeness() -> None:
    low, high = coverage_limits(42, 0.0, 0.025)
    assert low == pytest.approx(28 / 42, abs=1.1 / 42)  # quantiles of the binomial with 42 and 0.8
    assert high == pytest.approx(38 / 42, abs=1.1 / 42)
    wider = coverage_limits(42, 0.8, 0.025)
    assert wider[0] < low < high < wider[1]


def test_bands_need_days_enough_and_bridge_those_without_a_forecast() -> None:
    assert set(bands(errors(BANDS.min_days - 1, 0.2, 1))) == {State.TOO_EARLY}
    holes = errors(182, 0.2, 1)
    holes[::4] = np.nan
    assert set(bands(holes)) == {State.STEADY}
