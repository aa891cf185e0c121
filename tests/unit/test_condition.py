"""Old and damaged data: what is asked of a model, how it is re-enacted, and what it does to bands."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting.condition import REENACTED, Condition, age_days, extended, forecast_leads, reenacted, widening
from forecasting.domain import DAILY, LEVELS, Information
from forecasting.errors import HistoryError
from forecasting.history import WEEK
from forecasting.models.base import MIDDLE
from forecasting.predicting import actual_mwh
from tests.unit.builders import LAYOUT, make_history, make_layout, make_model, noise_from, seasonal, utc, weathered

HISTORY = make_history(seasonal(500))
WEATHERED = weathered(500)
LEVEL_80 = (LEVELS.index(0.1), LEVELS.index(0.9))


def test_sound_data_need_nothing() -> None:
    assert Condition.of(HISTORY, LAYOUT, 0).sound
    model = make_model("two_stage_ridge", HISTORY)
    assert widening(model, HISTORY, Condition(), 14).factors == ((1.0,) * len(LEVELS),) * 14
    forecast = forecast_leads(model, HISTORY, 14)
    assert (forecast.quantiles == model.forecast(HISTORY, np.array([500])).quantiles).all()


def test_a_condition_counts_back_from_the_origin_within_what_the_model_reads() -> None:
    history = make_history(seasonal(100), filled=(80, 97, 99))
    assert Condition.of(history, LAYOUT, 2) == Condition(2, filled=(1, 3))
    celsius = np.ones((100, 48))
    celsius[98, 5] = np.nan
    warm = replace(history, temperature_c=celsius)
    assert Condition.of(warm, LAYOUT, 0).no_temperature == (2,)
    assert Condition.of(warm, replace(LAYOUT, information=Information.U), 0).no_temperature == ()
    assert Condition.of(warm, replace(LAYOUT, information=Information.F), 0).no_outlook
    assert not Condition.of(replace(warm, outlooks_c={100: celsius[:14]}), replace(LAYOUT, information=Information.F), 0).no_outlook


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("2012-04-09 14:00", 0), ("2012-04-10 13:59", 0), ("2012-04-10 14:00", 1), ("2012-04-24 20:00", 15)],
)
def test_age_is_in_local_days(as_of: str, expected: int) -> None:
    history = make_history(np.full(100, 100.0))  # 1 January to 9 April
    assert age_days(history, utc(as_of)) == expected


def test_reenacting_puts_an_earlier_week_in_and_looks_at_nothing_later() -> None:
    condition = Condition(2, filled=(1, 8), no_temperature=(3,))
    then = reenacted(WEATHERED, 300, condition)
    assert len(then) == 300
    assert (then.demand_mwh[-8] == WEATHERED.demand_mwh[292 - WEEK]).all()
    assert (then.demand_mwh[-1] == then.demand_mwh[-8]).all(), "a hole a week before a hole: what stood in stands in again"
    assert list(np.flatnonzero(then.filled)) == [292, 299]
    assert then.temperature_c is not None
    assert np.isnan(then.temperature_c[-3]).all()
    assert np.isfinite(np.delete(then.temperature_c, 297, axis=0)).all()
    later = reenacted(noise_from(WEATHERED, 300), 300, condition)
    assert (later.demand_mwh == then.demand_mwh).all()


def test_a_longer_forecast_begins_like_the_models_own_and_goes_on_from_it() -> None:
    model = make_model("two_stage_ridge", HISTORY)
    own, longer = forecast_leads(model, HISTORY, 14), forecast_leads(model, HISTORY, 20)
    assert longer.mean.shape == (1, 20)
    assert (longer.quantiles[:, :14] == own.quantiles).all()
    weekly = longer.median[0, 13:20] / longer.median[0, 6:13]
    assert np.abs(weekly - 1).max() < 0.1, "the weekly shape goes on"
    with pytest.raises(HistoryError, match="29 days ahead are more than twice the 14"):
        forecast_leads(model, HISTORY, 29)


def test_a_history_is_extended_by_whole_days_of_the_energy_given() -> None:
    energy = np.array([90_000.0, 80_000.0, 70_000.0])
    longer = extended(WEATHERED.before(94), energy)  # 2 April on: the day of 25 hours is the sixth
    assert len(longer) == 97
    assert longer.energy_mwh[-3:] == pytest.approx(energy)
    assert longer.filled[-3:].all()
    assert longer.temperature_c is not None
    assert np.isnan(longer.temperature_c[-3:]).all()
    hourly = weathered(95, slots=24).before(90)  # 1 April 2012, the next day, has 25 hours
    over_the_change = extended(hourly, np.full(7, 90_000.0))
    assert over_the_change.energy_mwh[-7:] == pytest.approx(np.full(7, 90_000.0))
    assert sorted(over_the_change.weights[-7:].sum(axis=1).tolist()) == [24] * 6 + [25]


def test_an_outlook_moves_on_with_the_days_it_covers() -> None:
    history = weathered(400, outlooks=(400,))
    longer = extended(history, np.full(3, 100_000.0))
    assert (longer.outlooks_c[403] == history.outlooks_c[400][3:]).all()
    assert longer.temperature_c is not None
    assert (longer.temperature_c[-3:] == history.outlooks_c[400][:3]).all()


@pytest.mark.parametrize("condition", [Condition(3), Condition(filled=(1, 2)), Condition(1, filled=(2, 4))])
def test_bands_are_as_wide_as_the_same_damage_would_have_asked_for(condition: Condition) -> None:
    """On the very origins on which they were measured, the widened bands hold what they promise."""
    model = make_model("two_stage_ridge", HISTORY)
    leads = 14 + condition.age_days
    calibration = widening(model, HISTORY, condition, leads)
    assert min(min(row) for row in calibration.factors) >= 1
    assert all(row[MIDDLE] == 1 for row in calibration.factors)
    origins = np.arange(500 - leads - REENACTED + 1, 500 - leads + 1)
    inside = []
    for origin in origins.tolist():
        forecast = calibration.applied(forecast_leads(model, reenacted(HISTORY, origin, condition), leads))
        actual = actual_mwh(HISTORY, np.array([origin]), DAILY, leads)
        low, high = (forecast.quantiles[..., level] for level in LEVEL_80)
        inside.append((actual >= low) & (actual <= high))
    assert np.mean(inside) >= 0.78


def test_missing_temperatures_widen_a_model_that_reads_them() -> None:
    """Demand follows the weather here, so a model that does not see the last days' weather errs more."""
    numbers = np.random.default_rng(3)
    warmth = 20 + 8 * np.sin(np.arange(500) / 3) + numbers.normal(0, 1, 500)
    celsius = np.repeat(warmth[:, None], 4, axis=1)
    demand = WEATHERED.demand_mwh * (1 + 0.02 * np.maximum(celsius - 20, 0))
    history = replace(WEATHERED, demand_mwh=demand, temperature_c=celsius)
    model = make_model("weather_paths", history, make_layout())
    factors = np.array(widening(model, history, Condition(no_temperature=(1, 2)), 14).factors)
    assert factors.max() > 1.05


def test_too_little_past_to_measure_on_is_said() -> None:
    short = make_history(seasonal(60))
    model = make_model("weekly_naive", HISTORY)
    with pytest.raises(HistoryError, match="earlier origins tell what weekly_naive makes of such data"):
        widening(model, short, Condition(12), 26)
