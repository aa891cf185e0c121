import itertools

import numpy as np
import pytest
import torch
from forecasting.models.weekly_naive import WeeklyNaive
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.domain import QUANTILES
from forecasting.models import MODELS
from forecasting.models.seq2seq_attention import AdditiveAttention, MultiplicativeAttention, Seq2SeqAttention, ascending
from forecasting.training import pinball_loss
from forecasting.windows import Inputs
from tests.unit.builders import SPEC, make_history, make_inputs, make_network, make_split, seasonal

HORIZON, MIDDLE = SPEC.horizon_days, len(QUANTILES) // 2
CELLS_AND_ATTENTIONS = list(itertools.product(("gru", "lstm"), ("additive", "multiplicative")))
VARIANTS = [(family, {}) for family in MODELS] + [
    ("seq2seq_attention", {"cell": cell, "attention": attention}) for cell, attention in CELLS_AND_ATTENTIONS
]


def variants_id(value: object) -> str:
    return "-".join(value.values()) or "default" if isinstance(value, dict) else str(value)


def seq2seq(cell: str = "gru", attention: str = "additive") -> Seq2SeqAttention:
    """Without dropout, so that only its inputs decide what comes out."""
    network = make_network(cell=cell, attention=attention, dropout=0.0)
    assert isinstance(network, Seq2SeqAttention)
    return network


def is_ascending(quantiles: torch.Tensor) -> bool:
    return bool((quantiles.diff(dim=-1) >= 0).all())


@pytest.mark.parametrize(("family", "options"), VARIANTS, ids=variants_id)
@pytest.mark.parametrize("windows", [1, 5])
def test_a_forecast_has_every_window_day_and_quantile(family: str, options: dict[str, str], windows: int) -> None:
    quantiles = make_network(family, **options).eval()(make_inputs(windows))
    assert quantiles.shape == (windows, HORIZON, len(QUANTILES))
    assert torch.isfinite(quantiles).all()
    assert is_ascending(quantiles)


@pytest.mark.parametrize(("family", "options"), VARIANTS, ids=variants_id)
@given(scale=st.floats(0, 1e12), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_quantiles_ascend_for_extreme_inputs(family: str, options: dict[str, str], scale: float, seed: int) -> None:
    quantiles = make_network(family, **options).eval()(make_inputs(2, seed, scale))
    assert torch.isfinite(quantiles).all()
    assert is_ascending(quantiles)


@pytest.mark.parametrize(("family", "options"), VARIANTS, ids=variants_id)
def test_a_window_does_not_see_its_neighbours(family: str, options: dict[str, str]) -> None:
    network, inputs = make_network(family, **options).eval(), make_inputs(4)
    alone = network(inputs[torch.tensor([2])])
    torch.testing.assert_close(network(inputs)[2:3], alone)


@given(
    st.sampled_from([1, 3, 5, 7]).flatmap(
        lambda size: st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=size, max_size=size)
    )
)
@example([2.0, 1.0, 0.0, 4.0, 3.0])
def test_ascending_keeps_the_middle_and_orders_the_rest(raw: list[float]) -> None:
    ordered = ascending(torch.tensor(raw))
    assert ordered.shape == (len(raw),)
    assert is_ascending(ordered)
    assert ordered[len(raw) // 2] == torch.tensor(raw[len(raw) // 2])


def test_ascending_steps_are_softplus() -> None:
    raw = torch.tensor([0.0, 10.0, 0.0])
    torch.testing.assert_close(ascending(raw), torch.tensor([10 - np.log(2), 10, 10 + np.log(2)], dtype=torch.float32))


@pytest.mark.parametrize("attention", [AdditiveAttention, MultiplicativeAttention])
def test_attention_weights_are_a_distribution_over_days(attention: type[torch.nn.Module]) -> None:
    weights = attention(6)(torch.randn(4, 6), torch.randn(4, 9, 6))
    assert weights.shape == (4, 9)
    assert bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(4))


@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_the_attention_map_has_a_distribution_for_each_target_day(cell: str, attention: str) -> None:
    weights = seq2seq(cell, attention).eval().attention_map(make_inputs(3))
    assert weights.shape == (3, HORIZON, SPEC.past_days)
    assert bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, HORIZON))
    assert weights.std() > 0


@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_forced_outputs_depend_on_earlier_targets_only(cell: str, attention: str) -> None:
    network, inputs = seq2seq(cell, attention), make_inputs(2)
    target = torch.randn(2, HORIZON, requires_grad=True)
    quantiles = network(inputs, target, 1.0)
    assert not torch.autograd.grad(quantiles[:, 0].sum(), target, retain_graph=True, allow_unused=True)[0].any()
    for step in range(1, HORIZON):
        (slope,) = torch.autograd.grad(quantiles[:, step].sum(), target, retain_graph=True)
        assert not slope[:, step:].any()
        assert slope[:, step - 1].all()


@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_without_forcing_the_target_has_no_effect(cell: str, attention: str) -> None:
    network, inputs = seq2seq(cell, attention), make_inputs(2)
    free = network(inputs)
    assert torch.equal(network(inputs, torch.randn(2, HORIZON), 0.0), free)
    assert not torch.equal(network(inputs, torch.randn(2, HORIZON), 1.0), free)


def test_forcing_is_drawn_for_each_window() -> None:
    network, one = seq2seq(), make_inputs(1)
    inputs = Inputs(one.past.expand(200, -1, -1), one.future.expand(200, -1, -1))
    free = network(inputs)[..., MIDDLE]
    torch.manual_seed(0)
    half_forced = network(inputs, torch.full((200, HORIZON), 5.0), 0.5)[..., MIDDLE]
    torch.testing.assert_close(half_forced[:, 0], free[:, 0])
    changed = (half_forced[:, 1] - free[:, 1]).abs() > 1e-4
    assert 0.3 < changed.float().mean().item() < 0.7


@pytest.mark.parametrize("forcing", [0.0, 1.0])
@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_gradients_reach_every_parameter(cell: str, attention: str, forcing: float) -> None:
    network = seq2seq(cell, attention)
    target = torch.randn(4, HORIZON)
    pinball_loss(network(make_inputs(4), target, forcing), target).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_weekly_naive_repeats_the_last_week_and_its_median_is_the_point() -> None:
    past = torch.zeros(1, 14, 1 + len(calendar.FEATURES))
    past[0, :, 0] = torch.arange(14)
    inputs = Inputs(past, torch.zeros(1, HORIZON, len(calendar.FEATURES)))
    network = WeeklyNaive(HORIZON).fit(make_split(make_history(seasonal(300))).train)
    assert network.point(inputs)[0].tolist() == [7, 8, 9, 10, 11, 12, 13] * 2
    assert torch.equal(network(inputs)[..., MIDDLE], network.point(inputs))


def test_weekly_naive_bands_hold_four_fifths_of_its_training_errors() -> None:
    train = make_split(make_history(seasonal(1000))).train
    quantiles = WeeklyNaive(HORIZON).fit(train)(train.inputs)
    assert is_ascending(quantiles)
    inside = (train.target >= quantiles[..., 0]) & (train.target <= quantiles[..., -1])
    torch.testing.assert_close(inside.float().mean(dim=0), torch.full((HORIZON,), 0.8), atol=0.01, rtol=0)


def test_weekly_naive_bands_hold_the_median_even_where_errors_are_one_sided() -> None:
    growing = make_split(make_history(np.linspace(1000, 9000, 400))).train
    network = WeeklyNaive(HORIZON).fit(growing)
    assert is_ascending(network(growing.inputs))
    assert torch.equal(network(growing.inputs)[..., MIDDLE], network.point(growing.inputs))
