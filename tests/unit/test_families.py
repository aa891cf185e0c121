"""What every recurrent family keeps to, whatever its cell, resolution and inputs."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from forecasting.domain import DAILY, INTERVAL, LEVELS, Information, Resolution
from forecasting.history import History
from forecasting.models import MODELS
from forecasting.models.base import MIDDLE, Epoch
from forecasting.models.network import Network
from forecasting.models.rnn_one_step import RnnOneStep
from forecasting.models.stacked import Gru
from forecasting.settings import TrainingSettings
from forecasting.training import repeatable
from forecasting.windows import Inputs, Layout
from tests.unit.builders import make_forecaster, make_inputs, make_layout, noise_from, untold, weathered

NETWORKS = [family for family, made in MODELS.items() if issubclass(made.made_by, Network)]
FED_BACK = ["rnn_one_step", "seq2seq", "seq2seq_attention"]
CELLS = ["gru", "lstm"]
RESOLUTIONS: list[Resolution] = [DAILY, INTERVAL]
Walk = tuple[Resolution, str]
WALKS: list[Walk] = [(DAILY, "day"), (INTERVAL, "day"), (INTERVAL, "interval")]
WEATHER = [("P", False), ("P", True), ("F", True), ("W", True), ("U", True)]
EVERY = list(itertools.product(NETWORKS, CELLS, WALKS, WEATHER))
DAYS, UNTIL = 150, 120
HISTORY = weathered(DAYS, outlooks=range(DAYS + 1))
SHORT = TrainingSettings(epochs=2, batch_size=16, max_windows=32)


def layout_of(resolution: Resolution, weather: tuple[str, bool] = ("P", False), **changes: Any) -> Layout:
    return replace(make_layout(resolution, *weather, slots=4, horizon_days=3), **changes)


def network_of(family: str, layout: Layout, **options: Any) -> Network:
    """Without dropout, so that only its inputs decide what comes out."""
    network = make_forecaster(family, layout, **{"dropout": 0.0, **options})
    assert isinstance(network, Network)
    return network.eval()


def learnt(family: str, layout: Layout, training: TrainingSettings, history: History = HISTORY, **options: Any) -> Network:
    with repeatable(training.seed):
        network = network_of(family, layout, **options)
        network.learn(history, UNTIL, training, untold)
    return network


def losses(family: str, layout: Layout, training: TrainingSettings, **options: Any) -> list[Epoch]:
    found: list[Epoch] = []
    with repeatable(training.seed):
        network_of(family, layout, **options).learn(HISTORY, UNTIL, training, found.append)
    return found


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize(("family", "cell", "walk", "weather"), EVERY)
def test_forecasts_have_their_shape_and_ascend(
    family: str, cell: str, walk: Walk, weather: tuple[str, bool], linear_path: bool
) -> None:
    layout = layout_of(walk[0], weather)
    network = network_of(family, layout, cell=cell, linear_path=linear_path, step=walk[1])
    network.fit_scale(HISTORY.before(UNTIL))
    forecast = network.forecast(HISTORY, np.array([60, UNTIL]))
    assert forecast.quantiles.shape == (2, layout.horizon_steps, len(LEVELS))
    assert forecast.mean.shape == (2, layout.horizon_steps)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()


@pytest.mark.parametrize("calendar", [False, True])
@pytest.mark.parametrize(("past_steps", "horizon_steps"), [(1, 1), (1, 5), (7, 3), (8, 6), (40, 56)])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("family", NETWORKS)
def test_any_length_of_past_and_horizon(family: str, cell: str, past_steps: int, horizon_steps: int, calendar: bool) -> None:
    layout = layout_of(INTERVAL, past_steps=past_steps, horizon_steps=horizon_steps, calendar=calendar)
    if past_steps % layout.per_day:
        with pytest.raises(ValueError, match="not whole days"):
            network_of(family, layout, step="day")
    for step in ("interval", "day")[: 1 if past_steps % layout.per_day else 2]:
        network = network_of(family, layout, cell=cell, step=step)
        inputs, target = make_inputs(2, layout=layout), torch.randn(2, horizon_steps)
        for forcing in (0.0, 0.5, 1.0):
            output = network.by_seed(inputs, target, forcing)
            assert output.shape == (2, 2, horizon_steps, len(LEVELS))
            assert torch.isfinite(output).all()


@pytest.mark.parametrize("step", ["day", "interval"])
@pytest.mark.parametrize("family", NETWORKS)
def test_two_weeks_of_half_hours(family: str, step: str) -> None:
    layout = layout_of(INTERVAL, per_day=48, past_steps=336, horizon_steps=672)
    assert network_of(family, layout, step=step).quantiles(make_inputs(2, layout=layout)).shape == (2, 672, len(LEVELS))


@pytest.mark.parametrize(("family", "cell", "walk", "weather"), EVERY)
def test_every_parameter_learns(family: str, cell: str, walk: Walk, weather: tuple[str, bool]) -> None:
    layout = layout_of(walk[0], weather)
    network = network_of(family, layout, cell=cell, step=walk[1]).train()
    target = torch.randn(4, layout.horizon_steps)
    network.loss(network.by_seed(make_inputs(4, layout=layout), target, 0.5), target).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(("cell", "loss"), [("gru", "pinball"), ("gru", "mse"), ("lstm", "pinball")])
@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("family", NETWORKS)
def test_learning_brings_the_loss_down(family: str, cell: str, walk: Walk, loss: str) -> None:
    """Without the linear path, which would leave little to learn."""
    training = TrainingSettings(epochs=12, batch_size=16, max_windows=128)
    epochs = losses(family, layout_of(walk[0], horizon_steps=4), training, cell=cell, loss=loss, linear_path=False, step=walk[1])
    assert epochs[-1].train < 0.7 * epochs[0].train
    assert epochs[-1].validation < 0.8 * epochs[0].validation


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("family", NETWORKS)
def test_the_same_seed_gives_the_same_bits(family: str, walk: Walk) -> None:
    layout = layout_of(walk[0], ("F", True))
    first = learnt(family, layout, SHORT, dropout=0.2, step=walk[1])
    torch.manual_seed(12345)  # whatever state the process is in
    again = learnt(family, layout, SHORT, dropout=0.2, step=walk[1])
    other = learnt(family, layout, SHORT.model_copy(update={"seed": 7}), dropout=0.2, step=walk[1])
    origins = np.array([UNTIL, 130])
    np.testing.assert_array_equal(first.forecast(HISTORY, origins).quantiles, again.forecast(HISTORY, origins).quantiles)
    assert (first.forecast(HISTORY, origins).quantiles != other.forecast(HISTORY, origins).quantiles).any()


@pytest.mark.parametrize(("weather", "loss"), [(("P", True), "pinball"), (("F", True), "mse"), (("U", True), "pinball")])
@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("family", NETWORKS)
def test_nothing_after_the_origin_is_seen(family: str, walk: Walk, weather: tuple[str, bool], loss: str) -> None:
    """Neither by a fit nor by a forecast: demand and weather from the origin on may be anything."""
    layout, noisy = layout_of(walk[0], weather), noise_from(HISTORY, UNTIL)
    network = learnt(family, layout, SHORT, loss=loss, step=walk[1])
    told = learnt(family, layout, SHORT, noisy, loss=loss, step=walk[1])
    origin = np.array([UNTIL])
    expected = network.forecast(HISTORY, origin)
    for found in (network.forecast(noisy, origin), told.forecast(HISTORY, origin), network.forecast(HISTORY.before(UNTIL), origin)):
        np.testing.assert_array_equal(found.quantiles, expected.quantiles)
    assert (network.forecast(noisy, np.array([UNTIL + 1])).quantiles != network.forecast(HISTORY, origin + 1).quantiles).any()


@pytest.mark.parametrize("family", NETWORKS)
def test_a_forecast_of_the_weather_moves_the_forecast_of_demand(family: str) -> None:
    network = network_of(family, layout_of(DAILY, ("F", True)))
    inputs = make_inputs(2, layout=network.layout)
    warmer = inputs.future.clone()
    warmer[..., -1] += 1
    assert (network.by_seed(Inputs(inputs.past, warmer)) != network.by_seed(inputs)).any(dim=-1).all()


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("family", FED_BACK)
def test_teacher_forcing_tells_earlier_targets_and_no_others(family: str, cell: str, walk: Walk) -> None:
    """Of a walk over days, those of the days before."""
    network = network_of(family, layout_of(walk[0]), cell=cell, linear_path=False, step=walk[1])
    steps = network.layout.horizon_steps
    inputs, target = make_inputs(2, layout=network.layout), torch.randn(2, steps, requires_grad=True)
    quantiles = network.by_seed(inputs, target, 1.0)
    first = quantiles[:, :, : network.values].sum()
    assert not torch.autograd.grad(first, target, retain_graph=True, allow_unused=True)[0].any()
    for step in range(network.values, steps):
        (slope,) = torch.autograd.grad(quantiles[:, :, step].sum(), target, retain_graph=True)
        begin = step - step % network.values
        assert not slope[:, begin:].any()
        assert slope[:, begin - network.values : begin].all()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("family", FED_BACK)
def test_teacher_forcing_has_an_effect_when_on_and_none_when_off(family: str, cell: str) -> None:
    network = network_of(family, layout_of(DAILY), cell=cell)
    inputs, target = make_inputs(2, layout=network.layout), torch.randn(2, 3)
    free = network.by_seed(inputs)
    assert torch.equal(network.by_seed(inputs, target, 0.0), free)
    for forcing in (0.9, 1.0):
        forced = network.by_seed(inputs, target, forcing)
        torch.testing.assert_close(forced[:, :, 0], free[:, :, 0])
        assert not torch.isclose(forced[:, :, 1:], free[:, :, 1:]).all()


def test_what_writes_all_steps_at_once_has_nothing_to_force() -> None:
    network = network_of("rnn_mlp", layout_of(DAILY))
    inputs = make_inputs(2, layout=network.layout)
    assert torch.equal(network.by_seed(inputs, torch.randn(2, 3), 1.0), network.by_seed(inputs))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("family", ["rnn_one_step", "seq2seq"])
@pytest.mark.parametrize("step", ["day", "interval"])
def test_forced_all_at_once_is_forced_step_by_step(family: str, cell: str, step: str) -> None:
    """Fed its own forecasts as if they were true, it comes to the same forecasts: all at once, step by step, and left to itself."""
    network = network_of(family, layout_of(INTERVAL, ("F", True)), cell=cell, step=step)
    inputs = make_inputs(3, layout=network.layout)
    free = network(inputs)
    for forcing in (1.0, 0.5):
        torch.testing.assert_close(network(inputs, free[..., MIDDLE].detach(), forcing), free)


@pytest.mark.parametrize("weather", WEATHER)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_one_step_rolled_out_is_one_step_again_and_again(cell: str, resolution: Resolution, weather: tuple[str, bool]) -> None:
    """A network of horizon 1 with the same weights, given a past that grows by its own median each time."""
    layout = layout_of(resolution, weather)
    network = network_of("rnn_one_step", layout, cell=cell, linear_path=False, step="interval", seeds=1)
    inputs = make_inputs(2, layout=layout)
    rolled = network.quantiles(inputs)
    past = inputs.past
    for step in range(layout.horizon_steps):
        known = inputs.future[:, step : step + 1]
        one = _with_horizon_of_one(network, past.shape[1]).quantiles(Inputs(past, known))
        torch.testing.assert_close(one[:, 0], rolled[:, step], atol=1e-5, rtol=1e-4)
        if layout.past_temperature and not layout.future_temperature:
            return  # a past grown by hand would have measured temperatures where the future has none
        past = torch.cat([past, torch.cat([one[..., MIDDLE], known[:, 0]], dim=-1)[:, None]], dim=1)


def _with_horizon_of_one(network: Network, past_steps: int) -> RnnOneStep:
    layout = replace(network.layout, past_steps=past_steps, horizon_steps=1)
    cell = "gru" if isinstance(network.get_submodule("decoder"), Gru) else "lstm"
    one = network_of("rnn_one_step", layout, cell=cell, linear_path=False, step="interval", seeds=1)
    one.load_state_dict(network.state_dict())
    assert isinstance(one, RnnOneStep)
    return one


def test_one_step_does_not_take_unknown_temperature_for_mild() -> None:
    layout = layout_of(DAILY, ("P", True))
    network = network_of("rnn_one_step", layout)
    assert isinstance(network, RnnOneStep)
    known = network.told(make_inputs(2, layout=layout))
    assert not known[:, -2:].any()
    forecasts = replace(layout, information=Information.F)
    other = network_of("rnn_one_step", forecasts)
    assert isinstance(other, RnnOneStep)
    inputs = make_inputs(2, layout=forecasts)
    assert torch.equal(other.told(inputs)[:, -2].T, inputs.future[..., -1])
    assert other.told(inputs)[:, -1].all()


@pytest.mark.parametrize(("schedule", "expected"), [("linear", [0.8, 0.4, 0, 0]), ("constant", [0.8] * 4)])
def test_the_schedule_of_teacher_forcing(schedule: str, expected: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    network, told = network_of("seq2seq", layout_of(DAILY)), []
    forward = network.forward

    def listening(inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        if network.training:
            told.append(forcing)
        return forward(inputs, target, forcing)  # type: ignore[no-any-return]

    monkeypatch.setattr(network, "forward", listening)
    training = TrainingSettings.model_validate({"epochs": 4, "batch_size": 1000, "forcing": 0.8, "forcing_schedule": schedule})
    with repeatable(0):
        network.learn(HISTORY, UNTIL, training, untold)
    assert told == pytest.approx(expected)


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("family", NETWORKS)
def test_a_point_network_has_bands_of_its_training_errors(family: str, walk: Walk) -> None:
    layout = layout_of(walk[0])
    training = TrainingSettings(epochs=3, batch_size=64)
    network = learnt(family, layout, training, loss="mse", step=walk[1])
    origins = np.arange(20, UNTIL - layout.horizon_days)
    forecast = network.forecast(HISTORY, origins)
    actual = HISTORY.energy_mwh if walk[0] == DAILY else HISTORY.demand_mwh.ravel()
    actual = actual[(origins * layout.per_day)[:, None] + np.arange(layout.horizon_steps)]
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    for level in (0.1, 0.5, 0.9):
        assert (actual <= forecast.level(level)).mean() == pytest.approx(level, abs=0.05)
    inputs = network.inputs(HISTORY, origins)
    assert network.quantiles(inputs).shape == (len(origins), layout.horizon_steps, 1)
