import numpy as np
import pytest
import torch

from forecasting import metrics
from forecasting.domain import QUANTILES
from forecasting.models import build
from forecasting.settings import TrainingSettings
from forecasting.training import Epoch, pinball_loss, predict, repeatable, train
from forecasting.windows import Inputs, Split, Windows
from tests.unit.builders import OPTIONS, make_history, make_split, seasonal

OPTIONS_OF_TRAINING = TrainingSettings(epochs=3, batch_size=64)


def fit(parts: Split, seed: int = 1, dropout: float = 0.1, **options: float) -> tuple[torch.nn.Module, list[Epoch]]:
    epochs: list[Epoch] = []
    with repeatable(seed):
        network = build("seq2seq_attention", **{**OPTIONS["seq2seq_attention"], "dropout": dropout})
        train(network, parts.train, parts.validation, OPTIONS_OF_TRAINING.model_copy(update=options), epochs.append)
    return network, epochs


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.fixture(scope="module")
def parts() -> Split:
    return make_split(make_history(seasonal(400)))


def test_the_same_seed_gives_the_same_bits(parts: Split) -> None:
    first, epochs = fit(parts)
    torch.manual_seed(12345)  # whatever state the process is in
    again, epochs_again = fit(parts)
    assert same_weights(first, again)
    assert epochs == epochs_again
    assert not same_weights(first, fit(parts, seed=2)[0])


def test_loss_falls_on_a_series_that_can_be_learnt(parts: Split) -> None:
    network, epochs = fit(parts, epochs=15)
    assert epochs[-1].train < 0.5 * epochs[0].train
    assert epochs[-1].validation < 0.5 * epochs[0].validation
    assert epochs[-1].validation == pytest.approx(pinball_loss(predict(network, parts.validation), parts.validation.target).item())


def test_each_epoch_is_reported_once_and_in_order(parts: Split) -> None:
    _, epochs = fit(parts, epochs=4)
    assert [(epoch.number, epoch.epochs) for epoch in epochs] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert np.isfinite([loss for epoch in epochs for loss in (epoch.train, epoch.validation)]).all()


def test_the_reported_losses_are_means_over_windows(parts: Split) -> None:
    network, (epoch,) = fit(parts, dropout=0.0, epochs=1, forcing=0.0, learning_rate=1e-12)  # stands still while it is measured
    for windows, reported in ((parts.train, epoch.train), (parts.validation, epoch.validation)):
        assert reported == pytest.approx(pinball_loss(predict(network, windows), windows.target).item(), rel=1e-5)


class Constant(torch.nn.Module):
    """Forecasts one number, and writes down how much teacher forcing it got in training."""

    def __init__(self) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.zeros(1))
        self.forcings: list[float] = []

    def forward(self, inputs: Inputs, target: torch.Tensor | None = None, forcing: float = 0.0) -> torch.Tensor:
        if self.training:
            assert target is not None
            self.forcings.append(forcing)
        return self.level.expand(len(inputs), inputs.future.shape[1], len(QUANTILES))


def test_teacher_forcing_falls_to_zero_half_way_through(parts: Split) -> None:
    network = Constant()
    options = TrainingSettings(epochs=4, batch_size=10_000, forcing=0.8)
    with repeatable(0):
        train(network, parts.train, parts.validation, options, [].append)
    assert network.forcings == pytest.approx([0.8, 0.4, 0, 0])


def test_one_epoch_of_one_batch_is_enough_to_run(parts: Split) -> None:
    assert len(fit(parts, epochs=1, batch_size=10_000)[1]) == 1


def test_validation_windows_are_never_learnt_from(parts: Split) -> None:
    noise = torch.Generator().manual_seed(0)
    held_out = parts.validation
    past, future, target = (
        torch.randn(tensor.shape, generator=noise) for tensor in (held_out.inputs.past, held_out.inputs.future, held_out.target)
    )
    other = Split(parts.train, Windows(Inputs(past, future), target, held_out.positions), parts.scaler, parts.spec)
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


def test_predicting_switches_dropout_off(parts: Split) -> None:
    network, _ = fit(parts, epochs=1)
    network.train()
    assert torch.equal(predict(network, parts.validation), predict(network, parts.validation))


def test_the_loss_trained_on_is_the_loss_reported() -> None:
    numbers = np.random.default_rng(0)
    quantiles, target = numbers.normal(size=(5, 14, len(QUANTILES))), numbers.normal(size=(5, 14))
    loss = pinball_loss(torch.tensor(quantiles), torch.tensor(target)).item()
    assert loss == pytest.approx(metrics.mean_pinball(target, quantiles, QUANTILES), rel=1e-6)
