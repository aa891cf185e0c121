"""One demand model given weather and calendar, run over many paths that the weather may take.

What is known of the weather only changes the paths: analogs of past years that begin like the last days (P), the same around a
weather forecast with its growing error (F; as P where none was kept), or what came (W). Each path of demand carries an error block
that the model really made in the same season, so that days, peaks and exceedances all follow from the same paths. Without any
weather (U) the effect of temperature is its seasonal mean, and the error blocks hold the weather.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecasting import calendar
from forecasting.domain import LEVELS, Information
from forecasting.history import History
from forecasting.models.analogs import Analogs
from forecasting.models.base import EpochReport, Forecast, Forecaster
from forecasting.models.day_likeness import LOOK_BACK_DAYS, day_traits, likeness
from forecasting.models.demand_given_weather import (
    THERMAL_SHRINKAGE,
    TREND_SHRINKAGE,
    fit_carry,
    fit_demand,
    residual_states,
)
from forecasting.models.log_level import LogLevel
from forecasting.models.thermal import TERMS, WARM_UP_DAYS, degree_terms, seasonal_fit, seasonal_waves, thermal_effect
from forecasting.models.weather_ahead import came, outlook, weather_paths
from forecasting.settings import ModelSettings, TrainingSettings
from forecasting.windows import Layout

PATHS = 300
ERROR_SEASON_DAYS = 45
"""Error blocks come from at most so many days off the same day of the year."""
YEAR = 365.25
MOST_DAYS = 1461
"""Demand is learnt from at most so many newest days; the weather from all."""


@dataclass(frozen=True)
class Known:
    """A history as the model sees it: temperatures [days, slots] without holes, what the calendar gives [days + horizon, slots] for
    its days and of those after, and what the residuals up to each day tell [days, slots, K]."""

    temperature_c: Tensor
    base: Tensor
    states: Tensor
    analogs: Analogs


class WeatherPaths(Forecaster):
    """Args: paths: how many sample paths; seed: of their drawing."""

    calibrates_itself = True
    shaped_by_data = (
        "coefficients",
        "weights",
        "traits",
        "climate",
        "thermal_season",
        "drift",
        "carry",
        "residuals",
        "errors",
        "error_season",
        "facts",
    )

    def __init__(self, layout: Layout, paths: int, seed: int) -> None:
        super().__init__(layout)
        self.paths, self.seed = paths, seed

    @classmethod
    def options(cls, settings: ModelSettings) -> dict[str, Any]:  # noqa: ARG003
        return {"paths": PATHS, "seed": 0}

    def learn(self, history: History, until: int, training: TrainingSettings, report: EpochReport) -> None:  # noqa: ARG002
        """Solve for everything at once: there are no epochs."""
        past, horizon = history.before(until), self.layout.horizon_days
        all_temperature, all_measured = self._temperatures(past, learn=True)
        anomalies = self._anomalies(past, all_temperature, all_measured)
        recent = past.since(max(0, until - MOST_DAYS))
        temperature, measured = all_temperature[-len(recent) :], all_measured[-len(recent) :]
        demand = torch.from_numpy(recent.demand_mwh)
        level = LogLevel.fit(demand)
        known = [
            level.mean_mwh,
            float(level.logarithmic),
            _ordinal(recent.days[0]),
            len(recent),
            float(anomalies[all_measured].std()),
        ]
        self.facts = torch.tensor(known, dtype=torch.float64)
        terms = degree_terms(temperature[None])[0]  # [days, slots, TERMS]
        flags, shrinkage = self._calendar(recent, 0)
        penalty = torch.cat([shrinkage, torch.full((TERMS,), THERMAL_SHRINKAGE, dtype=torch.float64)])
        use = torch.from_numpy(~recent.filled) & measured
        traits = self._traits(temperature[None], recent, 0)[0]
        alike = likeness(traits, traits)
        fit = fit_demand(flags, terms, penalty, alike, level.forward(demand), use)
        self.coefficients, self.weights, self.traits = fit.coefficients, fit.weights[use], traits[use]
        effect = torch.einsum("dst,st->ds", terms, fit.coefficients[:, -TERMS:]) + alike @ fit.weights
        season = torch.from_numpy(np.asarray(recent.days.day_of_year))
        self.thermal_season = seasonal_fit(effect, season)
        residuals = fit.residuals
        if self.layout.information is Information.U:
            residuals = residuals + effect - seasonal_waves(season) @ self.thermal_season
        self.carry, errors = fit_carry(residual_states(residuals), residuals, horizon)
        whole = torch.isfinite(errors).all(dim=(1, 2))
        self.residuals, self.errors, self.error_season = residuals.float(), errors[whole].float(), season[whole]
        self.drift = Analogs(anomalies, np.asarray(past.days.day_of_year), horizon).drift(until)
        self.settle()

    def forecast(self, history: History, positions: np.ndarray) -> Forecast:
        self.layout.require_past(positions * self.layout.per_day)
        known = self._known(history.before(int(positions.max())) if len(positions) else history)
        levels = torch.tensor(LEVELS, dtype=torch.float64)
        weights = torch.from_numpy(history.weights_and_after(self.layout.horizon_days)).double()
        means, quantiles, peaks = [], [], []
        for position in positions.tolist():
            paths = self._demand_paths(history, known, position)  # [paths, days, slots]
            weight = weights[position : position + self.layout.horizon_days]
            steps = (paths * weight).sum(dim=-1) if self.whole_days else paths.flatten(1)
            steps = steps[:, : self.layout.horizon_steps]
            peak = paths.masked_fill(weight == 0, -torch.inf).amax(dim=-1)
            means.append(steps.mean(dim=0))
            quantiles.append(torch.quantile(steps, levels, dim=0).T)
            peaks.append(torch.quantile(peak, levels, dim=0).T)
        return Forecast(*(torch.stack(each).numpy() for each in (means, quantiles, peaks)))

    def demand_paths(self, history: History, position: int) -> np.ndarray:
        """Equally likely paths of demand from the beginning of a day [paths, horizon_days, slots], MWh of one interval."""
        paths: np.ndarray = self._demand_paths(history, self._known(history.before(position)), position).numpy()
        return paths

    def weather_mwh(self, history: History, position: int) -> np.ndarray:
        """What the expected weather adds to each coming day, against the usual weather of the season [horizon_days], MWh."""
        known, horizon = self._known(history.before(position)), self.layout.horizon_days
        weight = torch.from_numpy(history.weights_and_after(horizon)[position : position + horizon]).double()
        expected, usual = (
            (self.level.back(self._expected(history, known, position, self._generator(history, position), usual=usual)) * weight)
            .sum(dim=-1)
            .mean(dim=0)
            for usual in (False, True)
        )
        added: np.ndarray = (expected - usual).numpy()
        return added

    def _generator(self, history: History, position: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _ordinal(history.days[0]) + position])

    def _demand_paths(self, history: History, known: Known, position: int) -> Tensor:
        generator = self._generator(history, position)
        expected = self._expected(history, known, position, generator)
        first_day = int(_days_from(history, position, 1).day_of_year[0])
        off = (self.error_season - first_day).abs()
        near = torch.minimum(off, 366 - off) <= ERROR_SEASON_DAYS
        blocks = torch.nonzero(near if near.any() else torch.ones_like(near)).squeeze(1).numpy()
        drawn = generator.choice(blocks, size=self.paths) if len(blocks) else np.zeros(0, dtype=int)
        if len(drawn):
            noise = self.errors[torch.from_numpy(drawn)].double()
        else:
            noise = torch.zeros(1, *expected.shape[1:], dtype=torch.float64)
        return self.level.back(expected + noise)

    def _expected(
        self, history: History, known: Known, position: int, generator: np.random.Generator, *, usual: bool = False
    ) -> Tensor:
        """Levels (not MWh) of the coming days [paths, horizon_days, slots], one path where the weather is given.

        Args:
            usual: as if the weather were that of the season.
        """
        horizon = self.layout.horizon_days
        carried = torch.einsum("hk,sk->hs", self.carry, known.states[position - 1])
        base = known.base[position : position + horizon] + carried
        if usual or self.layout.information is Information.U:
            season = torch.from_numpy(np.asarray(_days_from(history, position, horizon).day_of_year))
            return base + (seasonal_waves(season) @ self.thermal_season)[None]
        weather = self._weather_paths(history, known, position, generator)
        warm = min(WARM_UP_DAYS, position)
        before = known.temperature_c[position - warm : position].expand(len(weather), -1, -1)
        return base + self._effect(torch.cat([before, weather], dim=1), history, position - warm, warm)

    def _weather_paths(self, history: History, known: Known, position: int, generator: np.random.Generator) -> Tensor:
        """Temperatures of the coming days [paths, horizon_days, slots], C; one path where they are known."""
        horizon, information = self.layout.horizon_days, self.layout.information
        season = torch.from_numpy(np.asarray(_days_from(history, position, horizon).day_of_year))
        climate = seasonal_waves(season) @ self.climate
        if information is Information.W:
            return torch.where(torch.isnan(found := came(history, position, horizon)), climate, found)[None]
        kept = outlook(history, position, horizon) if information is Information.F else None
        return weather_paths(known.analogs, position, climate, self.drift, kept, float(self.facts[4]), self.paths, generator)

    def _known(self, history: History) -> Known:
        horizon = self.layout.horizon_days
        temperature, measured = self._temperatures(history)
        flags, _ = self._calendar(history, horizon)
        base = flags @ self.coefficients[:, : flags.shape[1]].T  # [days + horizon, slots]
        season = np.asarray(history.days.day_of_year)
        if self.layout.information is Information.U:
            effect = seasonal_waves(torch.from_numpy(season)) @ self.thermal_season
        else:
            effect = self._effect(temperature[None], history, 0, 0)[0]
        residuals = self.level.forward(torch.from_numpy(history.demand_mwh)) - base[: len(history)] - effect
        residuals[torch.from_numpy(history.filled)] = torch.nan
        if self.layout.information is not Information.U:
            residuals[~measured] = torch.nan
        learnt = self._learnt_days(history)
        residuals[learnt[0]] = self.residuals[learnt[1]].double()
        analogs = Analogs(self._anomalies(history, temperature, measured), season, horizon)
        return Known(temperature, base, residual_states(residuals), analogs)

    def _effect(self, temperature_c: Tensor, history: History, first: int, skip: int) -> Tensor:
        """What the weather does to log demand of days from position `first` on, but the first `skip`, which it remembers.

        Args:
            temperature_c: [paths, skip + days, slots].

        Returns:
            [paths, days, slots].
        """
        degrees = thermal_effect(temperature_c, self.coefficients[:, -TERMS:], skip)
        traits = self._traits(temperature_c, history, first)[:, skip:].float()
        return degrees + (likeness(traits, self.traits.float()) @ self.weights.float()).double()

    def _traits(self, temperature_c: Tensor, history: History, first: int) -> Tensor:
        """What days from position `first` on are compared by [paths, days, WIDTH]; the days before the first are like it."""
        days = _days_from(history, first, temperature_c.shape[1])
        free = calendar.free_days(days, history.series.region)
        before = temperature_c[:, :1].expand(-1, LOOK_BACK_DAYS, -1)
        return day_traits(
            torch.cat([before, temperature_c], dim=1), torch.from_numpy(np.asarray(days.day_of_year)), torch.from_numpy(free)
        )

    def _learnt_days(self, history: History) -> tuple[slice, slice]:
        """Where the days that it learnt from lie in a history, and among its residuals."""
        shift = int(self.facts[2]) - _ordinal(history.days[0])
        first, last = max(shift, 0), min(shift + int(self.facts[3]), len(history))
        return (slice(first, last), slice(first - shift, last - shift)) if last > first else (slice(0, 0), slice(0, 0))

    def _calendar(self, history: History, ahead: int) -> tuple[Tensor, Tensor]:
        """Constant, trend and calendar of its days and of those after [days + ahead, F], and their shrinkage."""
        days = history.days_and_after(ahead)
        flags, shrinkage, _ = calendar.demand_features(days, history.series.zone, history.series.region)
        since = np.arange(len(days)) + _ordinal(history.days[0]) - float(self.facts[2] + self.facts[3])
        since = np.minimum(since, 0)  # a trend is not drawn on beyond what was learnt from
        columns = np.column_stack([np.ones(len(days)), since / YEAR, flags])
        return torch.from_numpy(columns), torch.from_numpy(np.concatenate([[1e-6, TREND_SHRINKAGE], shrinkage]))

    def _temperatures(self, history: History, *, learn: bool = False) -> tuple[Tensor, Tensor]:
        """Temperatures [days, slots] with the climatology in their holes, and which days were measured throughout [days]. A history
        without temperatures is mild throughout."""
        shape = history.demand_mwh.shape
        found = torch.full(shape, torch.nan, dtype=torch.float64)
        if history.temperature_c is not None and (learn or self.layout.information is not Information.U):
            found = torch.from_numpy(history.temperature_c.copy())
        season = torch.from_numpy(np.asarray(history.days.day_of_year))
        holes = torch.isnan(found)
        if learn:
            known = not bool(holes.all())
            self.climate = seasonal_fit(found, season) if known else torch.zeros(5, shape[1], dtype=torch.float64)
        usual = seasonal_waves(season) @ self.climate
        measured = ~holes.any(dim=1) if not bool(holes.all()) else torch.ones(len(found), dtype=torch.bool)
        return torch.where(holes, usual, found), measured

    def _anomalies(self, history: History, temperature: Tensor, measured: Tensor) -> Tensor:
        season = torch.from_numpy(np.asarray(history.days.day_of_year))
        anomalies = temperature - seasonal_waves(season) @ self.climate
        return torch.where(measured[:, None], anomalies, torch.nan)

    @property
    def level(self) -> LogLevel:
        return LogLevel(float(self.facts[0]), bool(self.facts[1]))


def _ordinal(day: pd.Timestamp) -> int:
    return int(day.toordinal())


def _days_from(history: History, position: int, days: int) -> pd.DatetimeIndex:
    return pd.date_range(history.days[0] + pd.Timedelta(days=position), periods=days, freq="D")
