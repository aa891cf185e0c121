"""An RNN reads the past; a perceptron writes all coming steps at once."""

from typing import Any

from torch import Tensor, nn

from forecasting.domain import LEVELS
from forecasting.models.base import ascending
from forecasting.models.network import Cell, Loss, Network, head_of, recurrent
from forecasting.settings import ModelSettings
from forecasting.windows import Inputs, Layout


class RnnMlp(Network):
    """The last output of an RNN goes through one hidden layer to all steps; what is known of each coming step moves it by itself.

    Args:
        hidden: width of the recurrent state.
        mlp_hidden: width of the hidden layer.
        cell: recurrent cell.
        dropout: before the head, in training only.
        linear_path, loss: see `Network`.
    """

    def __init__(
        self, layout: Layout, hidden: int, mlp_hidden: int, cell: Cell, dropout: float, linear_path: bool, loss: Loss
    ) -> None:
        super().__init__(layout, linear_path=linear_path, loss=loss)
        outputs = 1 if loss == "mse" else len(LEVELS)
        self.encoder = recurrent(cell, layout.past_width, hidden)
        self.mlp = nn.Sequential(nn.Linear(hidden, mlp_hidden), nn.ReLU(), nn.Dropout(dropout))
        self.head = head_of(mlp_hidden, loss, layout.horizon_steps)
        width = layout.future_width
        self.known = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, outputs, bias=False)) if width else None

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {name: getattr(settings, name) for name in ("hidden", "mlp_hidden", "cell", "dropout", "linear_path", "loss")}

    def forward(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:  # noqa: ARG002
        """Quantiles of every target step; nothing is fed back, so there is nothing to force.

        Args:
            inputs: past [B, L, past_width], future [B, H, future_width].

        Returns:
            [B, H, LEVELS], ascending along the last axis; [B, H, 1] with the loss "mse".
        """
        outputs, _ = self.encoder(inputs.past)
        raw = self.head(self.mlp(outputs[:, -1])).unflatten(1, (self.layout.horizon_steps, -1))  # [B, H, Q]
        return ascending(raw if self.known is None else raw + self.known(inputs.future))
