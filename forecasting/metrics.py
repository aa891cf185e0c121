"""Scores of a forecast against what happened. Arrays are [windows, leads] unless said otherwise."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def mape(actual: Array, forecast: Array) -> float:
    """Mean absolute error as a share of the actual, in per cent; over the values that are not zero, nan if there are none."""
    some = actual != 0
    return float(100 * np.mean(np.abs(actual - forecast)[some] / np.abs(actual[some]))) if some.any() else math.nan


def mase(actual: Array, forecast: Array, scale: float) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006); see `seasonal_scale`. nan where the scale is zero."""
    return float(np.mean(np.abs(actual - forecast)) / scale) if scale > 0 else math.nan


def seasonal_scale(train: Array, season: int = 7) -> float:
    """The MASE denominator: mean absolute error of the seasonal naive forecast within the training values [n]."""
    return float(np.mean(np.abs(train[season:] - train[:-season])))


def pinball(actual: Array, forecast: Array, level: float) -> float:
    """Pinball (quantile) loss at one level, in the unit of the values."""
    gap = actual - forecast
    return float(np.mean(np.maximum(level * gap, (level - 1) * gap)))


def mean_pinball(actual: Array, quantiles: Array, levels: tuple[float, ...]) -> float:
    """Mean pinball loss over levels. `quantiles`: [windows, leads, levels]."""
    return float(np.mean([pinball(actual, quantiles[..., i], level) for i, level in enumerate(levels)]))


def coverage(actual: Array, lower: Array, upper: Array) -> float:
    """Share of actual values inside the closed band."""
    return float(np.mean((actual >= lower) & (actual <= upper)))
