from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from forecasting import metrics
from forecasting.domain import LEVELS
from forecasting.history import History
from forecasting.models.base import Epoch
from forecasting.models.network import Common, Network, pinball_loss
from forecasting.settings import TrainingSettings
from forecasting.training import repeatable, train
from forecasting.windows import Inputs, Scaler, Steps, Windows, windows_between
from tests.unit.builders import LAYOUT, make_forecaster, make_history, noise_from, seasonal

OPTIONS_OF_TRAINING = TrainingSettings(epochs=3, batch_size=64)
CUT = 344


@dataclass(frozen=True)
class Parts:
    train: Windows
    validation: Windows


def split(history: History) -> Parts:
    steps = Steps.of(history, LAYOUT)
    scaler = Scaler.fit(steps.energy_mwh[:CUT])
    return Parts(windows_between(steps, 0, CUT, scaler), windows_between(steps, CUT, len(steps), scaler))


def fit(parts: Parts, seed: int = 1, dropout: float = 0.1, **options: float) -> tuple[Network, list[Epoch]]:
    epochs: list[Epoch] = []
    with repeatable(seed):
        network = make_forecaster(dropout=dropout, seed=seed)
        assert isinstance(network, Network)
        train(network, parts.train, parts.validation, OPTIONS_OF_TRAINING.model_copy(update=options), epochs.append)
    return network, epochs


def loss_of(network: Network, windows: Windows) -> float:
    """Of what it forecasts: the average of its seeds."""
    inputs, target = windows.all
    network.eval()
    with torch.no_grad():
        return network.loss(network.quantiles(inputs), target).item()


def loss_by_seed(network: Network, windows: Windows) -> float:
    """Of what it is trained on: each seed by itself."""
    inputs, target = windows.all
    with torch.no_grad():
        return network.loss(network.eval().by_seed(inputs), target).item()


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.fixture(scope="module")
def parts() -> Parts:
    return split(make_history(seasonal(400)))


def test_the_same_seed_gives_the_same_bits(parts: Parts) -> None:
    first, epochs = fit(parts)
    torch.manual_seed(12345)  # whatever state the process is in
    again, epochs_again = fit(parts)
    assert same_weights(first, again)
    assert epochs == epochs_again
    assert not same_weights(first, fit(parts, seed=2)[0])


def test_loss_falls_on_a_series_that_can_be_learnt(parts: Parts) -> None:
    network, epochs = fit(parts, epochs=15)
    assert epochs[-1].train < 0.5 * epochs[0].train
    assert epochs[-1].validation < 0.5 * epochs[0].validation
    assert epochs[-1].validation == pytest.approx(loss_of(network, parts.validation))


def test_each_epoch_is_reported_once_and_in_order(parts: Parts) -> None:
    _, epochs = fit(parts, epochs=4)
    assert [(epoch.number, epoch.epochs) for epoch in epochs] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert np.isfinite([loss for epoch in epochs for loss in (epoch.train, epoch.validation)]).all()


def test_the_reported_losses_are_means_over_windows(parts: Parts) -> None:
    network, (epoch,) = fit(parts, dropout=0.0, epochs=1, forcing=0.0, learning_rate=1e-12)  # stands still while it is measured
    assert epoch.train == pytest.approx(loss_by_seed(network, parts.train), rel=1e-5)
    assert epoch.validation == pytest.approx(loss_of(network, parts.validation), rel=1e-5)


class Constant(Network):
    """Forecasts one number, and writes down how much teacher forcing it got in training, and how many windows."""

    def __init__(self) -> None:
        super().__init__(LAYOUT, Common(1, "gru", 0.0, linear_path=False, loss="pinball", seeds=1, step="day"))
        self.level = torch.nn.Parameter(torch.zeros(1, 1))
        self.forcings: list[float] = []
        self.windows = 0

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        if self.training:
            assert target is not None
            self.forcings.append(forcing)
            self.windows += len(inputs)
        return self.level.expand(1, len(inputs), inputs.future.shape[1], len(LEVELS))


def test_teacher_forcing_falls_to_zero_half_way_through(parts: Parts) -> None:
    network = Constant()
    options = TrainingSettings(epochs=4, batch_size=10_000, forcing=0.8)
    with repeatable(0):
        train(network, parts.train, parts.validation, options, [].append)
    assert network.forcings == pytest.approx([0.8, 0.4, 0, 0])


def test_one_epoch_of_one_batch_is_enough_to_run(parts: Parts) -> None:
    assert len(fit(parts, epochs=1, batch_size=10_000)[1]) == 1


def test_an_epoch_draws_at_most_so_many_windows(parts: Parts) -> None:
    network = Constant()
    with repeatable(0):
        train(network, parts.train, parts.validation, TrainingSettings(epochs=2, max_windows=100, batch_size=30), [].append)
    assert network.windows == 200


def test_the_linear_path_does_not_decay(parts: Parts) -> None:
    network, _ = fit(parts, epochs=8, weight_decay=500, learning_rate=1e-3, batch_size=10_000)
    with repeatable(1):
        untrained = make_forecaster(dropout=0.1, seed=1).state_dict()
    trained = network.state_dict()
    torch.testing.assert_close(trained["head.bias"], untrained["head.bias"], atol=1e-2, rtol=0)
    assert trained["attention.score.weight"].norm() < 0.5 * untrained["attention.score.weight"].norm()


def test_validation_windows_are_never_learnt_from(parts: Parts) -> None:
    other = split(noise_from(make_history(seasonal(400)), CUT))
    assert same_weights(fit(parts)[0], fit(other)[0])
    assert fit(parts)[1][-1].validation != fit(other)[1][-1].validation


@pytest.mark.parametrize("fails", [False, True])
def test_repeatable_leaves_the_process_as_it_was(fails: bool) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError) if fails else repeatable(0), repeatable(5):
            assert torch.get_num_threads() == 1
            torch.rand(10)
            if fails:
                raise ZeroDivisionError
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        torch.set_num_threads(threads)


def test_the_loss_trained_on_is_the_loss_reported() -> None:
    numbers = np.random.default_rng(0)
    quantiles, target = numbers.normal(size=(5, 14, len(LEVELS))), numbers.normal(size=(5, 14))
    loss = pinball_loss(torch.tensor(quantiles), torch.tensor(target)).item()
    assert loss == pytest.approx(metrics.mean_pinball(target, quantiles, LEVELS), rel=1e-6)
