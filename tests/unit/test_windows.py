import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.models import MODELS
from forecasting.windows import Inputs, Scaler, Windows, WindowSpec, inputs_at, split, windows_between
from tests.unit.builders import SPEC, VALIDATION_DAYS, first_days, make_history, make_model, make_split, seasonal

AS_IS = Scaler(mean_mwh=0.0, sd_mwh=1.0)
ENOUGH = SPEC.past_days + 3 * SPEC.horizon_days + VALIDATION_DAYS


def numbered(days: int) -> History:
    """A history in which each day's energy is its position."""
    return make_history(np.arange(days, dtype=float))


def past_days(inputs: Inputs) -> np.ndarray:
    return inputs.past[..., 0].numpy()


def target_days(windows: Windows) -> np.ndarray:
    return windows.positions[:, None] + np.arange(windows.target.shape[1])


def same(one: Inputs, other: Inputs) -> bool:
    return torch.equal(one.past, other.past) and torch.equal(one.future, other.future)


@given(past=st.integers(7, 40), horizon=st.integers(1, 14))
@settings(max_examples=25)
def test_targets_are_the_days_after_the_inputs_and_none_of_them_is_an_input(past: int, horizon: int) -> None:
    """In the tutorial that this model comes from, 13 of the 14 targets stood in the input."""
    windows = windows_between(numbered(90), 0, 90, WindowSpec(past, horizon), AS_IS)
    assert windows.positions.tolist() == list(range(past, 90 - horizon + 1))
    for row, position in enumerate(windows.positions.tolist()):
        assert past_days(windows.inputs)[row].tolist() == list(range(position - past, position))
        assert windows.target[row].tolist() == list(range(position, position + horizon))


def test_the_calendar_of_a_window_is_that_of_its_own_days() -> None:
    history = numbered(90)
    features = calendar.day_features(history.days, history.series.region)
    windows = windows_between(history, 0, 90, SPEC, AS_IS)
    for row, position in enumerate(windows.positions.tolist()):
        np.testing.assert_array_equal(windows.inputs.past[row, :, 1:].numpy(), features[position - 14 : position])
        np.testing.assert_array_equal(windows.inputs.future[row].numpy(), features[position : position + 14])


def test_tensors_are_float32_of_the_documented_shapes() -> None:
    windows = windows_between(numbered(60), 0, 60, WindowSpec(10, 5), AS_IS)
    features, count = len(calendar.FEATURES), 60 - 10 - 5 + 1
    assert len(windows) == len(windows.inputs) == count
    assert windows.inputs.past.shape == (count, 10, 1 + features)
    assert windows.inputs.future.shape == (count, 5, features)
    assert windows.target.shape == (count, 5)
    assert {windows.inputs.past.dtype, windows.inputs.future.dtype, windows.target.dtype} == {torch.float32}


def replaced_from(history: History, position: int) -> History:
    """The same history with noise at and after a position."""
    energy = history.energy_mwh.copy()
    energy[position:] = 1e6 * np.random.default_rng(99).random(len(energy) - position)
    return make_history(energy)


@pytest.mark.parametrize("position", [14, 100, 299])
def test_inputs_know_nothing_of_the_origin_and_after(position: int) -> None:
    history = make_history(seasonal(300))
    scaler = make_split(history).scaler
    at = np.array([position])
    assert same(inputs_at(history, at, SPEC, scaler), inputs_at(replaced_from(history, position), at, SPEC, scaler))


@pytest.mark.parametrize("family", MODELS)
def test_forecasts_know_nothing_of_the_origin_and_after(family: str) -> None:
    history, position = make_history(seasonal(300)), 250
    model = make_model(family, history)
    known = model.quantiles_mwh(history, np.array([position]))
    np.testing.assert_array_equal(known, model.quantiles_mwh(replaced_from(history, position), np.array([position])))
    seen = model.quantiles_mwh(replaced_from(history, position - 1), np.array([position]))
    assert (known != seen).any()  # the day before the origin does matter


@pytest.mark.parametrize("position", [60, 200, 299])
def test_training_and_serving_see_the_same(position: int) -> None:
    history = make_history(seasonal(320))
    scaler = make_split(history).scaler
    trained = windows_between(history, position, position + SPEC.horizon_days, SPEC, scaler)
    assert trained.positions.tolist() == [position]
    served = inputs_at(first_days(history, position), np.array([position]), SPEC, scaler)
    assert same(trained.inputs, served)


def test_every_validation_target_comes_after_every_training_target() -> None:
    parts = split(numbered(200), SPEC, VALIDATION_DAYS)
    assert target_days(parts.train).max() == 200 - VALIDATION_DAYS - 1
    assert target_days(parts.validation).min() == 200 - VALIDATION_DAYS
    assert target_days(parts.validation).max() == 199


def test_a_filled_day_is_never_a_target_but_may_be_an_input() -> None:
    history = make_history(seasonal(300), filled=[50, 120, 121, 270])
    parts = make_split(history)
    for windows in (parts.train, parts.validation):
        assert not np.isin(target_days(windows), np.flatnonzero(history.filled)).any()
    assert parts.train.positions.tolist() == [
        p for p in range(14, 300 - VALIDATION_DAYS - 13) if not {50, 120, 121} & set(range(p, p + 14))
    ]
    assert 51 in parts.train.positions


def test_the_scaler_is_fitted_on_the_training_days() -> None:
    energy = seasonal(300)
    scaler = make_split(make_history(energy)).scaler
    assert scaler.mean_mwh == pytest.approx(energy[:-VALIDATION_DAYS].mean())
    assert scaler.sd_mwh == pytest.approx(energy[:-VALIDATION_DAYS].std(ddof=1))
    assert make_split(replaced_from(make_history(energy), 300 - VALIDATION_DAYS)).scaler == scaler
    assert make_split(replaced_from(make_history(energy), 300 - VALIDATION_DAYS - 1)).scaler != scaler


def test_scaling_can_be_undone() -> None:
    energy = seasonal(100)
    scaler = Scaler.fit(energy)
    np.testing.assert_allclose(scaler.unscale(scaler.scale(energy)), energy)
    assert scaler.scale(energy).mean() == pytest.approx(0, abs=1e-9)
    assert scaler.scale(energy).std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize("level", [0.0, 5000.0])
def test_a_constant_series_can_be_scaled(level: float) -> None:
    scaler = Scaler.fit(np.full(50, level))
    assert np.isfinite(scaler.scale(np.array([level, level + 1]))).all()


def test_too_short_a_history_is_refused() -> None:
    assert len(make_split(numbered(ENOUGH)).train) == 2 * SPEC.horizon_days + 1
    with pytest.raises(HistoryError, match=rf"{ENOUGH - 1} complete days .* {ENOUGH} are needed"):
        make_split(numbered(ENOUGH - 1))


def test_a_history_whose_held_out_days_are_all_broken_is_refused() -> None:
    holes = range(300 - VALIDATION_DAYS, 300, SPEC.horizon_days)
    with pytest.raises(HistoryError, match="4 of them filled"):
        make_split(make_history(seasonal(300), filled=holes))


def test_a_window_that_would_begin_before_the_history_is_refused() -> None:
    past = make_history(np.arange(1.0, 60.0))
    with pytest.raises(IndexError, match="day 13 of the history cannot read the 14 days before it"):
        inputs_at(past, np.array([20, 13]), WindowSpec(14, 14), Scaler(0.0, 1.0))
