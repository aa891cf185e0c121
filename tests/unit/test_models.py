import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting.domain import LEVELS
from forecasting.models import MODELS
from forecasting.models.base import MIDDLE, ascending
from forecasting.models.network import Network
from forecasting.models.seq2seq_attention import AdditiveAttention, MultiplicativeAttention, Seq2SeqAttention
from forecasting.windows import Inputs
from tests.unit.builders import LAYOUT, QUICK, make_forecaster, make_history, make_inputs, seasonal, untold

HORIZON = LAYOUT.horizon_steps
NETWORKS = [family for family, made in MODELS.items() if issubclass(made.made_by, Network)]
CELLS_AND_ATTENTIONS = list(itertools.product(("gru", "lstm"), ("additive", "multiplicative")))
VARIANTS = [(family, {}) for family in NETWORKS] + [
    ("seq2seq_attention", {"cell": cell, "attention": attention}) for cell, attention in CELLS_AND_ATTENTIONS
]


def variants_id(value: object) -> str:
    return "-".join(value.values()) or "default" if isinstance(value, dict) else str(value)


def make_network(family: str = "seq2seq_attention", **options: Any) -> Network:
    network = make_forecaster(family, **options)
    assert isinstance(network, Network)
    return network


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
    quantiles = make_network(family, **options).eval().quantiles(make_inputs(windows))
    assert quantiles.shape == (windows, HORIZON, len(LEVELS))
    assert torch.isfinite(quantiles).all()
    assert is_ascending(quantiles)


@pytest.mark.parametrize(("family", "options"), VARIANTS, ids=variants_id)
@given(scale=st.floats(0, 1e12), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_quantiles_ascend_for_extreme_inputs(family: str, options: dict[str, str], scale: float, seed: int) -> None:
    quantiles = make_network(family, **options).eval().quantiles(make_inputs(2, seed, scale))
    assert torch.isfinite(quantiles).all()
    assert is_ascending(quantiles)


@pytest.mark.parametrize(("family", "options"), VARIANTS, ids=variants_id)
def test_a_window_does_not_see_its_neighbours(family: str, options: dict[str, str]) -> None:
    network, inputs = make_network(family, **options).eval(), make_inputs(4)
    alone = network.quantiles(inputs[torch.tensor([2])])
    torch.testing.assert_close(network.quantiles(inputs)[2:3], alone)


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
def test_attention_weights_are_a_distribution_over_days(attention: type[AdditiveAttention | MultiplicativeAttention]) -> None:
    scores = attention(2, 6)
    weights = scores(torch.randn(2, 6, 4), scores.prepare(torch.randn(2, 9, 6, 4)))
    assert weights.shape == (2, 9, 4)
    assert bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 4))


def test_additive_attention_is_that_of_bahdanau() -> None:
    scores, query, keys = AdditiveAttention(2, 6), torch.randn(2, 6, 4), torch.randn(2, 9, 6, 4)
    assert scores.key.bias is not None
    energy = torch.tanh((scores.query.weight @ query)[:, None] + scores.key.weight[:, None] @ keys + scores.key.bias[:, None])
    expected = torch.softmax((scores.score.weight[:, None] @ energy)[:, :, 0], dim=1)
    torch.testing.assert_close(scores(query, scores.prepare(keys)), expected)


@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_the_attention_map_has_a_distribution_for_each_target_day(cell: str, attention: str) -> None:
    weights = seq2seq(cell, attention).eval().attention_map(make_inputs(3))
    assert weights.shape == (3, HORIZON, LAYOUT.past_days)
    assert bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, HORIZON))
    assert weights.std() > 0


@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_forced_outputs_depend_on_earlier_targets_only(cell: str, attention: str) -> None:
    network, inputs = seq2seq(cell, attention), make_inputs(2)
    target = torch.randn(2, HORIZON, requires_grad=True)
    quantiles = network.by_seed(inputs, target, 1.0)
    assert not torch.autograd.grad(quantiles[:, :, 0].sum(), target, retain_graph=True, allow_unused=True)[0].any()
    for step in range(1, HORIZON):
        (slope,) = torch.autograd.grad(quantiles[:, :, step].sum(), target, retain_graph=True)
        assert not slope[:, step:].any()
        assert slope[:, step - 1].all()


@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_without_forcing_the_target_has_no_effect(cell: str, attention: str) -> None:
    network, inputs = seq2seq(cell, attention), make_inputs(2)
    free = network.by_seed(inputs)
    assert torch.equal(network.by_seed(inputs, torch.randn(2, HORIZON), 0.0), free)
    assert not torch.equal(network.by_seed(inputs, torch.randn(2, HORIZON), 1.0), free)


def test_forcing_is_drawn_for_each_window_and_seed() -> None:
    network, one = seq2seq(), make_inputs(1)
    inputs = Inputs(one.past.expand(200, -1, -1), one.future.expand(200, -1, -1))
    free = network.by_seed(inputs)[..., MIDDLE]
    torch.manual_seed(0)
    half_forced = network.by_seed(inputs, torch.full((200, HORIZON), 5.0), 0.5)[..., MIDDLE]
    torch.testing.assert_close(half_forced[:, :, 0], free[:, :, 0])
    changed = (half_forced[:, :, 1] - free[:, :, 1]).abs() > 1e-4
    assert ((changed.float().mean(dim=1) > 0.3) & (changed.float().mean(dim=1) < 0.7)).all()
    assert (changed[0] != changed[1]).any()


@pytest.mark.parametrize("forcing", [0.0, 1.0])
@pytest.mark.parametrize(("cell", "attention"), CELLS_AND_ATTENTIONS)
def test_gradients_reach_every_parameter(cell: str, attention: str, forcing: float) -> None:
    network = seq2seq(cell, attention)
    target = torch.randn(4, HORIZON)
    network.loss(network.by_seed(make_inputs(4), target, forcing), target).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_what_the_last_days_carry_forward_is_added_to_every_quantile() -> None:
    network, inputs = make_network(linear_path=True, dropout=0.0), make_inputs(3)
    assert network.carry is not None
    alone = network.quantiles(inputs)
    with torch.no_grad():
        network.carry[..., 0] = 0.5
    moved = network.quantiles(inputs)
    carried = 0.5 * inputs.past[:, -1, 0]
    torch.testing.assert_close(moved - alone, carried[:, None, None].expand_as(alone))


def test_teacher_forcing_is_told_what_remains_beside_the_linear_path() -> None:
    """A target that the linear path foresees leaves nothing to force."""
    network, inputs = make_network(linear_path=True, dropout=0.0), make_inputs(3)
    assert network.carry is not None
    with torch.no_grad():
        network.carry[:] = 0.3
    carried = network.carried(inputs)
    assert carried is not None
    assert torch.equal(carried[0], carried[1])
    forced = network.by_seed(inputs, carried[0], 1.0) - carried[..., None]
    torch.testing.assert_close(forced, network(inputs, torch.zeros(2, 3, HORIZON), 1.0))


@pytest.mark.parametrize("weeks", [1, 4])
def test_past_weeks_repeat_themselves_and_their_median_is_the_point(weeks: int) -> None:
    history = make_history(seasonal(300))
    model = make_forecaster("weekly_naive" if weeks == 1 else "same_weekday_mean")
    model.learn(history, 250, QUICK, untold)
    expected = np.mean([history.energy_mwh[250 - 7 * week : 257 - 7 * week] for week in range(1, weeks + 1)], axis=0)
    np.testing.assert_allclose(model.forecast(history, np.array([250])).median[0], np.tile(expected, 2))


def test_the_bands_of_past_weeks_hold_their_share_of_the_training_errors() -> None:
    history = make_history(seasonal(1000))
    model = make_forecaster("weekly_naive")
    model.learn(history, 1000, QUICK, untold)
    origins = np.arange(14, 987)
    forecast = model.forecast(history, origins)
    actual = history.energy_mwh[origins[:, None] + np.arange(HORIZON)]
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    for level in (0.1, 0.9):
        np.testing.assert_allclose((actual <= forecast.level(level)).mean(axis=0), level, atol=0.01)


def test_the_bands_of_past_weeks_hold_the_median_even_where_errors_are_one_sided() -> None:
    history = make_history(np.linspace(1000, 9000, 400))
    model = make_forecaster("weekly_naive")
    model.learn(history, 400, QUICK, untold)
    forecast = model.forecast(history, np.array([400]))
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(forecast.median[0], np.tile(history.energy_mwh[-7:], 2))
