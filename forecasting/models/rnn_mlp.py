"""An RNN reads the past; a perceptron writes all coming steps at once."""

from typing import Any

from torch import Tensor, nn

from forecasting.domain import LEVELS
from forecasting.models.base import ascending
from forecasting.models.network import Common, Network, head_of
from forecasting.models.stacked import Linear
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs, Layout


class RnnMlp(Network):
    """The last output of an RNN goes through one hidden layer to all steps; what is known of each coming step moves it by itself.

    Args:
        mlp_hidden: width of the hidden layer.
        common: see `Common`.
    """

    def __init__(self, layout: Layout, mlp_hidden: int, **common: Any) -> None:
        made = Common(**common)
        super().__init__(layout, made)
        self.encoder = made.recurrent(self.values + self.known_width + layout.past_temperature)
        self.mlp = nn.Sequential(Linear(made.seeds, made.hidden, mlp_hidden), nn.ReLU(), nn.Dropout(made.dropout))
        self.head = head_of(made.seeds, mlp_hidden, made.loss, layout.horizon_steps)
        self.known = None
        if layout.future_width:
            first = Linear(made.seeds, layout.future_width, made.hidden)
            outputs = 1 if made.loss == "mse" else len(LEVELS)
            self.known = nn.Sequential(first, nn.Tanh(), Linear(made.seeds, made.hidden, outputs, bias=False))

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {**super().options(settings), "mlp_hidden": settings.mlp_hidden}

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:  # noqa: ARG002
        """Quantiles of every target step; nothing is fed back, so there is nothing to force.

        Args:
            inputs: past [B, L, past_width], future [B, H, future_width].

        Returns:
            [seeds, B, H, LEVELS], ascending along the last axis; [seeds, B, H, 1] with the loss "mse".
        """
        _, state = self.encoder(self.past(inputs))
        raw = self.head(self.mlp(state[0])).unflatten(1, (self.layout.horizon_steps, -1))  # [seeds, H, Q, B]
        if self.known is not None:
            raw = raw + self.known(inputs.future.permute(1, 2, 0).expand(self.seeds, -1, -1, -1))
        return ascending(raw.permute(0, 3, 1, 2))
