"""Model families, one file each. A new family is one new file and one line in MODELS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forecasting.models.base import Forecaster
from forecasting.models.past_weeks import PastWeeks
from forecasting.models.rnn_mlp import RnnMlp
from forecasting.models.rnn_one_step import RnnOneStep
from forecasting.models.seq2seq import Seq2Seq
from forecasting.models.seq2seq_attention import Seq2SeqAttention
from forecasting.models.two_stage_ridge import TwoStageRidge
from forecasting.models.weather_paths import WeatherPaths
from forecasting.settings import ModelSettings
from forecasting.windows import Layout


@dataclass(frozen=True, slots=True)
class Family:
    """How a model is made: its class, what is fixed for this family, and whether it is a baseline that others must beat."""

    made_by: type[Forecaster]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False

    def options(self, settings: ModelSettings) -> dict[str, Any]:
        """What to build it with, beside the layout, as written on its card."""
        return {**self.made_by.options(settings), **self.fixed}


MODELS: Mapping[str, Family] = {
    "weekly_naive": Family(PastWeeks, {"weeks": 1}, baseline=True),
    "same_weekday_mean": Family(PastWeeks, {"weeks": 4}, baseline=True),
    "two_stage_ridge": Family(TwoStageRidge, baseline=True),
    "rnn_one_step": Family(RnnOneStep),
    "rnn_mlp": Family(RnnMlp),
    "seq2seq": Family(Seq2Seq),
    "seq2seq_attention": Family(Seq2SeqAttention),
    "weather_paths": Family(WeatherPaths),
}


def build(family: str, layout: Layout, **options: Any) -> Forecaster:
    """A new, untrained model of a family.

    Raises:
        KeyError: no such family.
        TypeError: options that it does not take.
    """
    return MODELS[family].made_by(layout, **options)
