from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.domain import DAILY, INTERVAL, Information, Resolution
from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.models import MODELS
from forecasting.windows import Inputs, Layout, Scaler, Steps, Windows, require_trainable, whole_origins, windows_between
from tests.unit.builders import (
    LAYOUT,
    QUICK,
    VALIDATION_DAYS,
    clock_history_of,
    make_forecaster,
    make_history,
    make_layout,
    make_model,
    make_series,
    noise_from,
    seasonal,
    seasonal_slots,
    untold,
    weathered,
)

AS_IS = Scaler(mean_mwh=0.0, sd_mwh=1.0)
ENOUGH = LAYOUT.past_days + 3 * LAYOUT.horizon_days + VALIDATION_DAYS
RESOLUTIONS: tuple[Resolution, ...] = (DAILY, INTERVAL)


def numbered(days: int) -> History:
    """A history in which each day's energy is its position, in a zone without clock changes."""
    return make_history(np.arange(days, dtype=float), series=make_series(zone="UTC", minutes=360))


def numbered_slots(days: int, slots: int = 4) -> History:
    """The same with slots numbered through."""
    numbers = np.arange(days * slots, dtype=float).reshape(days, slots)
    return clock_history_of(numbers, series=make_series(zone="UTC", minutes=1440 // slots))


def numbered_steps(days: int, layout: Layout) -> Steps:
    return Steps.of(numbered(days) if layout.resolution == DAILY else numbered_slots(days, layout.per_day), layout)


def inputs_at(history: History, position: int, layout: Layout, scaler: Scaler = AS_IS) -> Inputs:
    """What a forecast from the beginning of a day sees."""
    steps = Steps.of(history, layout)
    scaled = scaler.scale(steps.energy_mwh).astype(np.float32)
    return steps.inputs_at(np.array([position * layout.per_day]), scaled)


def targets(windows: Windows) -> np.ndarray:
    return windows.positions[:, None] + np.arange(windows.steps.layout.horizon_steps)


def same(one: Inputs, other: Inputs) -> bool:
    return torch.equal(one.past, other.past) and torch.equal(one.future, other.future)


@given(past=st.integers(7, 40), horizon=st.integers(1, 14), per_day=st.sampled_from([1, 4]), stride=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_targets_are_the_steps_after_the_inputs_and_none_of_them_is_an_input(
    past: int, horizon: int, per_day: int, stride: int
) -> None:
    """In the tutorial that the first model came from, 13 of the 14 targets stood in the input."""
    layout = Layout(DAILY if per_day == 1 else INTERVAL, per_day, past, horizon)
    steps = numbered_steps(90, layout)
    windows = windows_between(steps, 0, 60, AS_IS, stride)
    assert windows.positions.tolist() == [p for p in range(0, 60 - horizon + 1, stride) if p >= past]
    inputs, target = windows.all
    for row, position in enumerate(windows.positions.tolist()):
        assert inputs.past[row, :, 0].numpy().tolist() == pytest.approx(range(position - past, position))
        assert target[row].tolist() == pytest.approx(range(position, position + horizon))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_calendar_of_a_window_is_that_of_its_own_steps(resolution: Resolution) -> None:
    layout = make_layout(resolution)
    steps = numbered_steps(60, layout)
    history = steps.history
    features = calendar.day_features(history.days, history.series.region)
    if resolution == INTERVAL:
        features = calendar.clock_features(features, history.slots)
    windows = windows_between(steps, 0, len(steps), AS_IS)
    inputs, _ = windows.all
    for row, position in enumerate(windows.positions.tolist()):
        np.testing.assert_array_equal(inputs.past[row, :, 1:], features[position - layout.past_steps : position])
        np.testing.assert_array_equal(inputs.future[row], features[position : position + layout.horizon_steps])


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("information", Information)
@pytest.mark.parametrize("temperature", [False, True])
def test_tensors_are_float32_of_the_documented_shapes(resolution: Resolution, information: str, temperature: bool) -> None:
    layout = make_layout(resolution, information, temperature, horizon_days=5)
    history = weathered(60)
    windows = windows_between(Steps.of(history, layout), 0, 60 * layout.per_day, AS_IS)
    count = (60 - 14 - 5) * layout.per_day + 1
    inputs, target = windows.all
    assert len(windows) == len(inputs) == count
    assert inputs.past.shape == (count, layout.past_steps, layout.past_width)
    assert inputs.future.shape == (count, layout.horizon_steps, layout.future_width)
    assert target.shape == (count, layout.horizon_steps)
    assert {inputs.past.dtype, inputs.future.dtype, target.dtype} == {torch.float32}


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_batch_is_made_of_the_windows_asked_for(resolution: Resolution) -> None:
    layout = make_layout(resolution, "W", temperature=True)
    windows = windows_between(Steps.of(weathered(60), layout), 0, 60 * layout.per_day, AS_IS)
    rows = np.array([5, 0, len(windows) - 1])
    inputs, target = windows.batch(rows)
    everything, all_targets = windows.all
    assert same(inputs, everything[torch.from_numpy(rows)])
    assert torch.equal(target, all_targets[rows])


def test_a_layout_counts_in_days_and_weeks() -> None:
    half_hours = Layout(INTERVAL, 48, past_steps=100, horizon_steps=49)
    assert (half_hours.past_days, half_hours.horizon_days, half_hours.season) == (3, 2, 336)
    assert (LAYOUT.past_days, LAYOUT.horizon_days, LAYOUT.season) == (14, 14, 7)
    assert half_hours.known == LAYOUT.known + len(calendar.CLOCK_FEATURES)


@pytest.mark.parametrize(
    ("information", "past", "future"), [("U", False, False), ("P", True, False), ("F", True, True), ("W", True, True)]
)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_information_decides_which_temperatures_are_seen(
    resolution: Resolution, information: str, past: bool, future: bool
) -> None:
    history, layout = weathered(40, outlooks=(30,)), make_layout(resolution, information, temperature=True, horizon_days=7)
    assert history.temperature_c is not None
    without = inputs_at(history, 30, make_layout(resolution, information, horizon_days=7))
    inputs = inputs_at(history, 30, layout)
    assert torch.equal(inputs.past[..., : without.past.shape[-1]], without.past)
    assert torch.equal(inputs.future[..., : without.future.shape[-1]], without.future)
    assert inputs.past.shape[-1] - without.past.shape[-1] == past
    assert inputs.future.shape[-1] - without.future.shape[-1] == future

    def scaled(celsius: np.ndarray) -> np.ndarray:
        return (celsius.mean(axis=1) if resolution == DAILY else celsius.ravel()) / 10 - 1.5

    if past:
        np.testing.assert_allclose(inputs.past[0, :, -1], scaled(history.temperature_c[16:30]), rtol=1e-4, atol=1e-5)
    if future:
        coming = history.outlooks_c[30][:7] if information == "F" else history.temperature_c[30:37]
        np.testing.assert_allclose(inputs.future[0, :, -1], scaled(coming), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_without_an_outlook_no_forecast_that_needs_one_can_be_made(resolution: Resolution) -> None:
    history, layout = weathered(40, outlooks=(39,)), make_layout(resolution, "F", temperature=True)
    with pytest.raises(HistoryError, match=r"no weather forecast of test issued by 2012-02-10 is known; .*information P"):
        inputs_at(history, 40, layout)
    assert len(inputs_at(weathered(40, outlooks=(40,)), 40, layout)) == 1
    assert len(inputs_at(history, 40, make_layout(resolution, "P", temperature=True))) == 1


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_an_outlook_with_a_hole_is_none(resolution: Resolution) -> None:
    history, layout = weathered(40, outlooks=(40,)), make_layout(resolution, "F", temperature=True, horizon_days=7)
    history.outlooks_c[40][7:] = np.nan
    assert torch.isfinite(inputs_at(history, 40, layout).future).all(), "days after the horizon do not matter"
    history.outlooks_c[40][6, 2] = np.nan
    with pytest.raises(HistoryError, match="no weather forecast"):
        inputs_at(history, 40, layout)


@pytest.mark.parametrize("celsius", [None, np.full((40, 4), np.nan)])
@pytest.mark.parametrize("information", ["P", "F", "W"])
def test_temperature_that_was_never_read_cannot_be_an_input(celsius: np.ndarray | None, information: str) -> None:
    history = replace(weathered(40), temperature_c=celsius)
    with pytest.raises(HistoryError, match="no temperature of test is known; ingest weather"):
        Steps.of(history, make_layout(DAILY, information, temperature=True))
    Steps.of(history, make_layout(DAILY, "U", temperature=True))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_holes_in_the_weather_are_bridged_from_what_was_known_before(resolution: Resolution) -> None:
    history, layout = weathered(40), make_layout(resolution, "P", temperature=True)
    assert history.temperature_c is not None
    holed = history.temperature_c.copy()
    holed[:3] = np.nan
    holed[25:32] = np.nan
    later = holed.copy()
    later[32:] += 20
    one, other = (inputs_at(replace(history, temperature_c=celsius), 30, layout) for celsius in (holed, later))
    assert torch.isfinite(one.past).all()
    assert same(one, other)
    day_before = [holed[24].mean()] if resolution == DAILY else holed[24]
    np.testing.assert_allclose(one.past[0, -len(day_before) :, -1], np.array(day_before) / 10 - 1.5, rtol=1e-5)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("information", ["U", "P", "F"])
@pytest.mark.parametrize("position", [14, 50, 79])
def test_inputs_know_nothing_of_the_origin_and_after(resolution: Resolution, information: str, position: int) -> None:
    history, layout = weathered(80, outlooks=(position,)), make_layout(resolution, information, temperature=True)
    assert same(inputs_at(history, position, layout), inputs_at(noise_from(history, position), position, layout))
    assert not same(inputs_at(history, position, layout), inputs_at(noise_from(history, position - 1), position, layout))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("information", Information)
@pytest.mark.parametrize("family", MODELS)
def test_forecasts_know_nothing_of_the_origin_and_after(family: str, information: Information, resolution: Resolution) -> None:
    """With W the weather that came is known, and nothing but it."""
    history, position = weathered(120, outlooks=(100,)), 100
    model = make_model(family, history, make_layout(resolution, information, temperature=True))
    noisy, earlier = noise_from(history, position), noise_from(history, position - 1)
    if information == Information.W:
        noisy, earlier = (replace(each, temperature_c=history.temperature_c) for each in (noisy, earlier))
    known = model.forecast(history, np.array([position]))
    for seen in (noisy, *(() if information == Information.W else (history.before(position), noisy.before(position)))):
        np.testing.assert_array_equal(known.quantiles, model.forecast(seen, np.array([position])).quantiles)
        np.testing.assert_array_equal(known.mean, model.forecast(seen, np.array([position])).mean)
    assert (known.quantiles != model.forecast(earlier, np.array([position])).quantiles).any()  # the day before does matter


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("family", MODELS)
def test_what_is_learnt_knows_nothing_of_the_held_out_days(family: str, resolution: Resolution) -> None:
    history, until = weathered(100), 70
    layout = make_layout(resolution, "P", temperature=True, horizon_days=7)
    learnt = []
    for seen in (history, noise_from(history, until), noise_from(history, until - 1)):
        forecaster = make_forecaster(family, layout)
        torch.manual_seed(0)
        forecaster.learn(seen, until, QUICK, untold)
        learnt.append(forecaster.state_dict())
    assert all(torch.equal(learnt[0][name], learnt[1][name]) for name in learnt[0])
    assert any(not torch.equal(learnt[0][name], learnt[2][name]) for name in learnt[0])


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("position", [20, 60, 65])
def test_training_and_serving_see_the_same(resolution: Resolution, position: int) -> None:
    history, layout = weathered(80), make_layout(resolution, "P", temperature=True)
    steps, first = Steps.of(history, layout), position * layout.per_day
    scaler = Scaler(25_000.0, 3000.0)
    trained = windows_between(steps, first, first + layout.horizon_steps, scaler)
    assert trained.positions.tolist() == [first]
    assert same(trained.all[0], inputs_at(history.before(position), position, layout, scaler))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_filled_day_is_never_a_target_but_may_be_an_input(resolution: Resolution) -> None:
    layout = make_layout(resolution)
    filled = [50, 60, 61, 79]
    history = clock_history_of(seasonal_slots(80), filled=filled)
    windows = windows_between(Steps.of(history, layout), 0, 80 * layout.per_day, AS_IS)
    days = targets(windows) // layout.per_day
    assert not np.isin(days, filled).any()
    assert {int(p) for p in windows.positions if p % layout.per_day == 0} == {
        p * layout.per_day for p in range(14, 67) if not set(filled) & set(range(p, p + 14))
    }
    assert whole_origins(history, 14, 14).tolist() == [p for p in range(14, 67) if not set(filled) & set(range(p, p + 14))]
    assert 62 * layout.per_day in windows.positions


def test_days_of_23_and_25_hours_count_as_days_of_the_same_power() -> None:
    history = make_history(np.full(300, 48.0), first="2014-01-01")
    history = replace(history, demand_mwh=np.full((300, 48), 2.0))
    steps = Steps.of(history, LAYOUT)
    assert sorted(set(history.energy_mwh)) == [92.0, 96.0, 100.0]
    np.testing.assert_allclose(steps.energy_mwh, 96.0, rtol=1e-15)
    np.testing.assert_allclose(steps.share[:300] * 96, history.energy_mwh)
    assert len(steps.share) == len(steps.known) == 314


def test_every_slot_has_its_weight_as_share() -> None:
    history = clock_history_of(np.ones((300, 24)), first="2014-01-01")
    steps = Steps.of(history, make_layout(INTERVAL, slots=24))
    np.testing.assert_array_equal(steps.share[: 300 * 24], history.weights.ravel())
    assert set(steps.share) == {0.0, 1.0, 2.0}


CHANGES = [
    ("Australia/Melbourne", "2014-04-06", 25.0),
    ("Australia/Melbourne", "2014-10-05", 23.0),
    ("Australia/Lord_Howe", "2014-10-05", 23.5),
    ("America/Havana", "2014-03-09", 23.0),
    ("Europe/Berlin", "2014-10-26", 25.0),
]


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("where", ["before", "within", "after"])
def test_constant_power_is_forecast_as_constant_power(family: str, zone: str, day: str, hours: float, where: str) -> None:
    """Whether the odd day is among the targets, the inputs, or only its week is."""
    length, away = 120, {"before": 5, "within": 1, "after": -6}[where]
    first = pd.Timestamp(day) - pd.Timedelta(days=length + away - 1)
    history = clock_history_of(np.full((length, 48), 2.0), first=f"{first:%F}", series=make_series(zone=zone))
    forecaster = make_forecaster(family, LAYOUT, dropout=0.0) if family.startswith("seq2seq") else make_forecaster(family)
    forecaster.learn(history, 100, QUICK.model_copy(update={"epochs": 3, "learning_rate": 1e-3}), untold)
    forecast = forecaster.forecast(history, np.array([length]))
    ahead = pd.date_range(history.days[-1] + pd.Timedelta(days=1), periods=14)
    expected = np.where(ahead == day, 2 * 2 * hours, 96.0)
    assert (expected == 96).all() == (where == "after")
    np.testing.assert_allclose(forecast.median[0], expected, rtol=1e-4)
    np.testing.assert_allclose(forecast.mean[0], expected, rtol=1e-3)


@pytest.mark.parametrize("family", MODELS)
def test_an_odd_day_changes_no_forecast_but_its_own(family: str) -> None:
    """The same power in a zone with a clock change and in one without makes the same forecast, scaled on that day."""
    power, found = seasonal_slots(140, 24), []
    for zone in ("Australia/Melbourne", "Australia/Brisbane"):
        history = clock_history_of(power, first="2014-05-25", series=make_series(zone=zone, minutes=60))
        history = replace(history, demand_mwh=np.repeat(power.mean(axis=1, keepdims=True), 24, axis=1))
        model = make_model(family, history)
        found.append(model.forecast(history, np.array([126])).quantiles[0])
    share = np.where(pd.date_range("2014-09-28", periods=14) == "2014-10-05", 23 / 24, 1.0)
    np.testing.assert_allclose(found[0], found[1] * share[:, None], rtol=1e-6)


def test_the_scaler_is_fitted_on_the_training_days() -> None:
    history = make_history(seasonal(200))
    scales = []
    for seen in (history, noise_from(history, 144), noise_from(history, 143)):
        network = make_forecaster(linear_path=False)
        network.learn(seen, 144, QUICK, untold)
        scales.append(network.state_dict()["facts"].tolist())
    energy = Steps.of(history, LAYOUT).energy_mwh[:144]
    assert scales[0] == pytest.approx([energy.mean(), 0, energy.std(ddof=1)])
    assert scales[1] == scales[0] != scales[2]


def test_scaling_can_be_undone() -> None:
    energy = seasonal(100)
    scaler = Scaler.fit(energy)
    np.testing.assert_allclose(scaler.unscale(scaler.scale(energy)[None, :, None], np.arange(100)[None])[0, :, 0], energy)
    assert scaler.scale(energy).mean() == pytest.approx(0, abs=1e-9)
    assert scaler.scale(energy).std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize("level", [0.0, 5000.0, -3.0])
def test_a_constant_series_can_be_scaled(level: float) -> None:
    scaler = Scaler.fit(np.full(50, level))
    assert np.isfinite(scaler.scale(np.array([level, level + 1]))).all()


def test_too_short_a_history_is_refused() -> None:
    assert require_trainable(numbered(ENOUGH), 14, 14, VALIDATION_DAYS) == ENOUGH - VALIDATION_DAYS
    with pytest.raises(HistoryError, match=rf"{ENOUGH - 1} complete days .* {ENOUGH} are needed"):
        require_trainable(numbered(ENOUGH - 1), 14, 14, VALIDATION_DAYS)


@pytest.mark.parametrize("holes", [range(300 - VALIDATION_DAYS, 300, 14), range(14, 300 - VALIDATION_DAYS, 14)])
def test_a_history_without_a_whole_window_to_learn_from_or_to_judge_by_is_refused(holes: range) -> None:
    with pytest.raises(HistoryError, match=rf"{len(holes)} of them filled"):
        require_trainable(make_history(seasonal(300), filled=holes), 14, 14, VALIDATION_DAYS)


def test_every_origin_held_out_comes_after_every_target_learnt_from() -> None:
    history = numbered(200)
    until = require_trainable(history, 14, 14, VALIDATION_DAYS)
    learnt = windows_between(Steps.of(history, LAYOUT), 0, until, AS_IS)
    origins = whole_origins(history, until, 14)
    assert targets(learnt).max() == until - 1
    assert origins.tolist() == list(range(until, 200 - 14 + 1))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_window_that_would_begin_before_the_history_is_refused(resolution: Resolution) -> None:
    with pytest.raises(IndexError, match="cannot read the"):
        inputs_at(weathered(60), 13, make_layout(resolution))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("family", MODELS)
def test_no_family_reads_before_the_history_begins(family: str, resolution: Resolution) -> None:
    forecaster = make_forecaster(family, make_layout(resolution))
    forecaster.learn(weathered(60), 50, QUICK, untold)
    first = forecaster.layout.past_days
    assert first >= forecaster.layout.past_steps / forecaster.layout.per_day
    assert np.isfinite(forecaster.forecast(weathered(60), np.array([first])).quantiles).all()
    with pytest.raises(IndexError, match="cannot read the"):
        forecaster.forecast(weathered(60), np.array([first, first - 1]))
