"""Several networks in one tensor are what they would be one by one, and the hand-written GRU is torch's."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from forecasting.artefact import pack, unpack
from forecasting.domain import DAILY, INTERVAL, Resolution
from forecasting.models import MODELS
from forecasting.models.network import Network
from forecasting.models.stacked import CELLS, Cell, Gru, Linear, _Step, _Sweep
from forecasting.predicting import FittedModel
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.training import clip, repeatable, train
from forecasting.windows import Steps, windows_between
from tests.unit.builders import make_forecaster, make_inputs, make_layout, untold, weathered

NETWORKS = [family for family, made in MODELS.items() if issubclass(made.made_by, Network)]
WALKS: list[tuple[Resolution, str]] = [(DAILY, "day"), (INTERVAL, "day"), (INTERVAL, "interval")]
HISTORY, UNTIL = weathered(150), 120
SEEDS, STEPS, WIDTH, HIDDEN, WINDOWS = 2, 4, 3, 5, 6


def network_of(family: str, walk: tuple[Resolution, str] = (DAILY, "day"), **options: Any) -> Network:
    network = make_forecaster(family, make_layout(walk[0], horizon_days=3), **{"dropout": 0.0, "step": walk[1], **options})
    assert isinstance(network, Network)
    return network


def alone(network: Network, seed: int, family: str, walk: tuple[Resolution, str], **options: Any) -> Network:
    """One of its seeds as a network of its own."""
    one = network_of(family, walk, seeds=1, **options)
    own = {name for name, _ in network.named_parameters()}
    state = network.state_dict()
    one.load_state_dict({name: value[seed : seed + 1] if name in own else value for name, value in state.items()})
    return one


def doubles(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_the_slopes_of_a_step_are_those_of_its_equations() -> None:
    rows = 4 * HIDDEN
    read = HIDDEN + WIDTH
    given = (
        doubles(SEEDS, rows, WINDOWS),
        doubles(SEEDS, rows, read),
        doubles(SEEDS, read, WINDOWS),
        doubles(SEEDS, HIDDEN, WINDOWS),
    )
    assert torch.autograd.gradcheck(_Step.apply, given)


@pytest.mark.parametrize("steps", [1, STEPS])
def test_the_slopes_of_a_sweep_are_those_of_its_equations(steps: int) -> None:
    rows = doubles(SEEDS, 4 * HIDDEN, WIDTH), doubles(SEEDS, 4 * HIDDEN, HIDDEN), doubles(SEEDS, 4 * HIDDEN, 1)
    assert torch.autograd.gradcheck(_Sweep.apply, (doubles(SEEDS, steps, WIDTH, WINDOWS), doubles(SEEDS, HIDDEN, WINDOWS), *rows))


@pytest.mark.parametrize(("kind", "made_by"), [("gru", nn.GRU), ("lstm", nn.LSTM)])
def test_a_cell_is_that_of_torch_for_each_seed(kind: str, made_by: type[nn.GRU | nn.LSTM]) -> None:
    cell = {str(name): cell for name, cell in CELLS.items()}[kind](SEEDS, WIDTH, HIDDEN)
    x = torch.randn(STEPS, WIDTH, WINDOWS)
    outputs, state = cell(x)
    for seed in range(SEEDS):
        theirs = made_by(WIDTH, HIDDEN)
        parts = {
            "weight_ih": cell.input.weight,
            "weight_hh": cell.state.weight,
            "bias_ih": cell.input.bias,
            "bias_hh": cell.state.bias,
        }
        theirs.load_state_dict({f"{name}_l0": value[seed].squeeze(-1) for name, value in parts.items() if value is not None})
        expected, last = theirs(x.transpose(1, 2))
        torch.testing.assert_close(outputs[seed].transpose(1, 2), expected)
        last = last if isinstance(last, tuple) else (last,)
        for mine, other in zip(state, last, strict=True):
            torch.testing.assert_close(mine[seed].T, other[0])


def test_a_sweep_is_one_step_after_another() -> None:
    cell, x = Gru(SEEDS, WIDTH, HIDDEN), torch.randn(SEEDS, STEPS, WIDTH, WINDOWS)
    state = (torch.randn(SEEDS, HIDDEN, WINDOWS),)
    torch.testing.assert_close(cell.sweep(x, state, cell.rows())[0], Cell.sweep(cell, x, state, cell.rows())[0])


def test_a_layer_begins_as_that_of_torch_does() -> None:
    torch.manual_seed(0)
    weights = Linear(SEEDS, 400, 300).weight
    assert weights.abs().max() <= 1 / 20
    assert weights.std().item() == pytest.approx(nn.Linear(400, 300).weight.std().item(), rel=0.01)
    assert (weights[0] != weights[1]).all()


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("family", NETWORKS)
def test_seeds_forecast_together_as_they_do_alone(family: str, cell: str, walk: tuple[Resolution, str]) -> None:
    network = network_of(family, walk, cell=cell, seeds=3)
    inputs = make_inputs(4, layout=network.layout)
    target = torch.randn(4, network.layout.horizon_steps)
    for forcing in (0.0, 1.0):
        together = network.by_seed(inputs, target, forcing)
        each = [alone(network, seed, family, walk, cell=cell).by_seed(inputs, target, forcing)[0] for seed in range(3)]
        torch.testing.assert_close(together, torch.stack(each))
    averaged = network.quantiles(inputs)
    torch.testing.assert_close(averaged, network.by_seed(inputs).mean(dim=0))
    assert (averaged.diff(dim=-1) > 0).all()


@pytest.mark.parametrize("family", NETWORKS)
def test_seeds_are_trained_together_as_they_are_alone(family: str) -> None:
    """Even where the slopes of one are cut, and those of the others are not."""
    walk: tuple[Resolution, str] = (DAILY, "day")
    network = network_of(family, seeds=2)
    with torch.no_grad():
        next(network.head.parameters())[0] *= 30  # type: ignore[union-attr]
    singles = [alone(network, seed, family, walk) for seed in range(2)]
    training = TrainingSettings(epochs=3, batch_size=32, forcing=0.0, clip_norm=0.2)
    steps = Steps.of(HISTORY, network.layout)
    for each in (network, *singles):
        each.fit_scale(HISTORY.before(UNTIL))
        windows = windows_between(steps, 0, UNTIL, each.scaler(steps))
        with repeatable(3):
            train(each, windows, windows, training, untold)
    inputs = network.inputs(HISTORY, np.array([UNTIL]))
    with torch.no_grad():
        expected = torch.cat([single.eval().by_seed(inputs) for single in singles])
        torch.testing.assert_close(network.eval().by_seed(inputs), expected, atol=2e-4, rtol=2e-4)


def test_slopes_are_cut_seed_by_seed() -> None:
    network = network_of("seq2seq", seeds=2)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
        parameter.grad[1] *= 1e-6
    clip(network, 1.0)
    lengths = torch.stack([each.grad.flatten(1).norm(dim=1) for each in network.parameters() if each.grad is not None]).norm(dim=0)
    assert lengths[0].item() == pytest.approx(1.0, rel=1e-4)
    assert all((each.grad[1] == 1e-6).all() for each in network.parameters() if each.grad is not None)


@pytest.mark.parametrize("family", NETWORKS)
def test_a_packed_model_forecasts_the_same_bits(family: str) -> None:
    options = {**MODELS[family].options(ModelSettings(hidden=6, seeds=3)), "dropout": 0.1}
    network = make_forecaster(family, make_layout(horizon_days=3), **options)
    network.learn(HISTORY, UNTIL, TrainingSettings(epochs=1), untold)
    artefact = pack(FittedModel.raw(family, network), options, HISTORY.series, {})
    again = unpack(artefact, artefact.weights_sha256, artefact.card_sha256)
    origins = np.array([UNTIL, UNTIL + 9])
    np.testing.assert_array_equal(again.forecast(HISTORY, origins).quantiles, network.forecast(HISTORY, origins).quantiles)
