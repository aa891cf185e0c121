"""What the recurrent families share: windows in, quantiles of every step out, fitted by the one training loop."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from forecasting import calendar
from forecasting.domain import LEVELS
from forecasting.errors import HistoryError
from forecasting.history import History
from forecasting.models.base import MIDDLE, EpochReport, Forecast, Forecaster, mean_of
from forecasting.models.calendar_ridge import CalendarRidge, power
from forecasting.models.log_level import LogLevel
from forecasting.models.stacked import CELLS, Cell, Kind, Linear
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.training import train
from forecasting.windows import Inputs, Layout, Scaler, Steps, Windows, windows_between

Loss = Literal["pinball", "mse"]
RATES = (1.0, 0.3, 0.05)
"""Of the averages of past days, the newest weighing most, that the linear path carries forward."""


@dataclass(frozen=True, slots=True)
class Common:
    """What every recurrent family is made with.

    hidden: width of the recurrent state. dropout: before the head, in training only. seeds, linear_path, loss, step: see `Network`.
    """

    hidden: int
    cell: Kind
    dropout: float
    linear_path: bool
    loss: Loss
    seeds: int
    step: Literal["day", "interval"]

    def recurrent(self, width: int) -> Cell:
        """A layer that reads steps of so many numbers."""
        return CELLS[self.cell](self.seeds, width, self.hidden)


def pinball_loss(quantiles: Tensor, target: Tensor) -> Tensor:
    """Mean pinball loss. quantiles [B, H, LEVELS], target [B, H]; scalar."""
    gap = target[..., None] - quantiles
    levels = torch.tensor(LEVELS)
    return torch.maximum(levels * gap, (levels - 1) * gap).mean()


def head_of(seeds: int, width: int, loss: Loss, values: int = 1) -> Linear:
    """The layer that writes `values` values: one point each for squared error, else LEVELS free numbers for `ascending`, which
    begin with a narrow band around nothing."""
    if loss == "mse":
        return Linear(seeds, width, values)
    head = Linear(seeds, width, values * len(LEVELS))
    assert head.bias is not None
    with torch.no_grad():
        head.weight.mul_(0.1)
        head.bias.fill_(-1.2)
        head.bias[:, MIDDLE :: len(LEVELS)] = 0.0
    return head


class Network(Forecaster):
    """A family owns its `forward` and knows no trainer:

        forward(inputs: Inputs, target: Tensor | None, forcing: float) -> Tensor [seeds, windows, horizon_steps, LEVELS], ascending

    `target` [seeds, windows, horizon_steps] and `forcing` matter in training only; without them a forward pass sees nothing but its
    inputs.

    It is `seeds` networks of different beginnings in one: each is trained as if it were alone, on the same batches, and a forecast
    is the average of their quantiles.

    With the loss "mse" it writes one point a step instead, [seeds, windows, horizon_steps, 1], the mean; its bands are then the
    quantiles of its training errors, step by step.

    With `step` "day" it walks over whole days where the history has intervals: each reads and writes all slots of a day.

    With a `linear_path` the network sees demand relative to a ridge regression on the calendar (without the waves of the year,
    which it learns better itself), and adds to what a linear layer carries forward from the last days, lead by lead. On 2013 that
    took the daily MSE of sequence to sequence with attention from .42 to .35.
    """

    shaped_by_data = ("calendar",)
    calendar: Tensor
    facts: Tensor
    averages: Tensor
    errors: Tensor

    def __init__(self, layout: Layout, common: Common) -> None:
        super().__init__(layout)
        seeds, linear_path, loss = common.seeds, common.linear_path, common.loss
        self.seeds = seeds
        self.linear_path = linear_path
        self.values = layout.per_day if common.step == "day" else 1
        """That each step reads and writes."""
        if layout.past_steps % self.values:
            raise ValueError(f"{layout.past_steps} steps of the past are not whole days")
        self.minimises = loss
        if loss == "mse":
            self.register_buffer("errors", torch.zeros(layout.horizon_steps, len(LEVELS)))
        self.register_buffer("facts", torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
        days = layout.past_steps // layout.per_day if linear_path else 0
        age = torch.arange(days - 1, -1, -1)
        weights = torch.stack([rate * (1 - rate) ** age.double() for rate in RATES])  # [K, days]
        self.register_buffer("averages", (weights / weights.sum(dim=1, keepdim=True)).float(), persistent=False)
        self.carry = nn.Parameter(torch.zeros(seeds, layout.horizon_days, len(RATES))) if days else None

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:
        return {name: getattr(settings, name) for name in Common.__slots__}

    @property
    def known_width(self) -> int:
        """Numbers of the calendar that each step reads."""
        return self.layout.known if self.values == 1 else len(calendar.FEATURES) * self.layout.calendar

    def past(self, inputs: Inputs) -> Tensor:
        """The past step by step: [steps, values + known_width + past_temperature, B], energy first."""
        days = inputs.past.unflatten(1, (-1, self.values))  # [B, N, values, F]
        return torch.cat([days[..., 0], self._of_steps(days[..., 1:])], dim=2).permute(1, 2, 0).contiguous()

    def ahead(self, inputs: Inputs) -> Tensor:
        """What is known of the coming steps: [steps, known_width + future_temperature, B]."""
        missing = -inputs.future.shape[1] % self.values
        whole = torch.cat([inputs.future, inputs.future[:, -1:].expand(-1, missing, -1)], dim=1)
        return self._of_steps(whole.unflatten(1, (-1, self.values))).permute(1, 2, 0).contiguous()

    def _of_steps(self, slots: Tensor) -> Tensor:
        """Calendar and temperature of slots [B, N, values, F] to those of the steps that hold them [B, N, ...]: a day has its own
        calendar, and its mean temperature."""
        known = slots[:, :, 0, : self.known_width]
        return torch.cat([known, slots[..., self.layout.known :].mean(dim=2)], dim=2)

    def scaler(self, steps: Steps) -> Scaler:
        """What every step of a history, and after it, is compared with."""
        mean, logarithmic, sd = self.facts.tolist()
        if not self.linear_path:
            return Scaler(mean, sd)
        level = LogLevel(mean, bool(logarithmic))
        expected = level.back(CalendarRidge(level, self.calendar).expected(steps.history, self.layout.horizon_days)).ravel().numpy()
        return Scaler(expected, sd * expected if level.logarithmic else np.full_like(expected, sd * mean))

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What training minimises: quantiles [..., B, H, LEVELS] or points [..., B, H, 1], target [B, H], scaled."""
        target = target.expand(output.shape[:-1])
        return nn.functional.mse_loss(output[..., 0], target) if self.minimises == "mse" else pinball_loss(output, target)

    def quantiles(self, inputs: Inputs) -> Tensor:
        """Scaled quantiles [B, H, LEVELS], those of all seeds averaged: which still ascend."""
        return self.by_seed(inputs).mean(dim=0)

    def by_seed(self, inputs: Inputs, target: Tensor | None = None, forcing: float = 0.0) -> Tensor:
        """Scaled quantiles [seeds, B, H, LEVELS]: what `forward` says on top of the linear path; target [B, H]."""
        given = None if target is None else target.expand(self.seeds, -1, -1)
        carried = self.carried(inputs)
        if carried is None:
            return self(inputs, given, forcing)  # type: ignore[no-any-return]
        beyond = None if given is None else given - carried
        return self(inputs, beyond, forcing) + carried[..., None]  # type: ignore[no-any-return]

    def carried(self, inputs: Inputs) -> Tensor | None:
        """What the last days carry forward to each step [seeds, B, H], slot by slot; None without a linear path."""
        if self.carry is None:
            return None
        days, per_day = self.averages.shape[1], self.layout.per_day
        past = inputs.past[:, -days * per_day :, 0].reshape(-1, days, per_day)
        states = torch.einsum("kd,bds->bks", self.averages, past)
        ahead: Tensor = torch.einsum("rhk,bks->rbhs", self.carry, states).flatten(2)
        return ahead[..., : self.layout.horizon_steps]

    def learn(self, history: History, until: int, training: TrainingSettings, report: EpochReport) -> None:
        """Fit on every window whose targets lie before `until`; those after it, a day apart, are validated on."""
        layout = self.layout
        steps = Steps.of(history, layout)
        last = until * layout.per_day
        self.fit_scale(history.before(until))
        scaler = self.scaler(steps)
        fitted = windows_between(steps, 0, last, scaler, stride=self.values)
        held_out = windows_between(steps, last, len(steps), scaler, stride=layout.per_day)
        if not len(fitted):
            raise HistoryError(f"series {history.series.series_id} has no whole window to train on", "bring older readings")
        train(self, fitted, held_out, training, report)
        if self.minimises == "mse":
            self.errors = self._errors(fitted, training)

    def fit_scale(self, past: History) -> None:
        """Learn what `scaler` needs."""
        if not self.linear_path:
            plain = Scaler.fit(Steps.of(past, self.layout).energy_mwh)
            self.facts = torch.tensor([float(plain.mean_mwh), 0.0, float(plain.sd_mwh)], dtype=torch.float64)
            return
        demand = power(past, whole_days=self.whole_days)
        fit = CalendarRidge.fit(past, demand, seasonal=False)
        expected = fit.level.back(fit.expected(past, 0))
        over = demand / expected - 1 if fit.level.logarithmic else (demand - expected) / fit.level.mean_mwh
        self.calendar = fit.coefficients
        self.settle()
        self.facts = torch.tensor(
            [fit.level.mean_mwh, float(fit.level.logarithmic), max(float(over.std()), 1e-9)], dtype=torch.float64
        )

    def inputs(self, history: History, positions: np.ndarray) -> Inputs:
        """The inputs of forecasts from the beginnings of days."""
        steps = Steps.of(history, self.layout)
        scaled = self.scaler(steps).scale(steps.energy_mwh).astype(np.float32)
        return steps.inputs_at(positions * self.layout.per_day, scaled)

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        steps = Steps.of(history, self.layout)
        self.eval()
        with torch.no_grad():
            scaled = self.quantiles(self.inputs(history, positions))
        output = (scaled + self.errors if self.minimises == "mse" else scaled).double().numpy()
        ahead = (positions * self.layout.per_day)[:, None] + np.arange(self.layout.horizon_steps)
        quantiles = self.scaler(steps).unscale(output, ahead)
        if self.whole_days:
            quantiles = quantiles * steps.share[ahead][..., None]
        return Forecast(mean_of(quantiles), quantiles)

    def _errors(self, windows: Windows, training: TrainingSettings) -> Tensor:
        """Quantiles of the errors of a point network, scaled: [horizon_steps, LEVELS]."""
        rows = torch.randperm(len(windows))[: training.max_windows].split(training.batch_size)
        self.eval()
        with torch.no_grad():
            batches = [windows.batch(each.numpy()) for each in rows]
            errors = torch.cat([target - self.quantiles(inputs)[..., 0] for inputs, target in batches])
        return torch.quantile(errors, torch.tensor(LEVELS), dim=0).T.contiguous()
