import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting import metrics

values = st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4).map(np.array)


@pytest.mark.parametrize(
    ("actual", "forecast", "level", "loss"),
    [
        (10.0, 8.0, 0.9, 1.8),  # too low a 90 % quantile costs 0.9 a unit
        (10.0, 12.0, 0.9, 0.2),
        (10.0, 8.0, 0.1, 0.2),
        (10.0, 12.0, 0.1, 1.8),
        (10.0, 10.0, 0.1, 0.0),
    ],
)
def test_pinball_by_hand(actual: float, forecast: float, level: float, loss: float) -> None:
    assert metrics.pinball(np.array([[actual]]), np.array([[forecast]]), level) == pytest.approx(loss)


@given(actual=values, forecast=values)
def test_pinball_of_the_median_is_half_the_mean_absolute_error(actual: np.ndarray, forecast: np.ndarray) -> None:
    assert metrics.pinball(actual, forecast, 0.5) == pytest.approx(np.abs(actual - forecast).mean() / 2)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_pinball_is_least_at_the_quantile(level: float) -> None:
    actual = np.arange(1001.0)
    losses = [metrics.pinball(actual, np.full(1001, guess), level) for guess in range(0, 1001, 10)]
    assert range(0, 1001, 10)[int(np.argmin(losses))] == pytest.approx(1000 * level)


def test_mean_pinball_by_hand() -> None:
    actual = np.array([[10.0]])
    quantiles = np.array([[[8.0, 10.0, 12.0]]])
    assert metrics.mean_pinball(actual, quantiles, (0.1, 0.5, 0.9)) == pytest.approx((0.2 + 0 + 0.2) / 3)


def test_mape_by_hand() -> None:
    assert metrics.mape(np.array([[100.0, 200.0]]), np.array([[110.0, 160.0]])) == pytest.approx(15)


def test_mase_by_hand() -> None:
    assert metrics.mase(np.array([[10.0, 20.0]]), np.array([[13.0, 19.0]]), scale=4.0) == pytest.approx(0.5)


def test_mase_of_weekly_naive_on_the_training_data_is_one() -> None:
    train = np.random.default_rng(0).normal(1000, 100, 200)
    scale = metrics.seasonal_scale(train)
    assert metrics.mase(train[7:], train[:-7], scale) == pytest.approx(1)


def test_seasonal_scale_by_hand() -> None:
    assert metrics.seasonal_scale(np.array([1.0, 2.0, 4.0, 8.0]), season=2) == pytest.approx((3 + 6) / 2)


def test_coverage_counts_the_edges_of_the_band() -> None:
    actual = np.array([[0.9, 1.0, 1.5, 2.0, 2.1]])
    assert metrics.coverage(actual, np.full((1, 5), 1.0), np.full((1, 5), 2.0)) == pytest.approx(0.6)
