import numpy as np
import pytest
import torch

from forecasting.models.day_likeness import LOOK_BACK_DAYS, VARIANCE, WIDTH, day_traits, likeness
from forecasting.models.demand_given_weather import FOLD_DAYS, fit_demand

DAYS, SLOTS, FLAGS, TERMS = 100, 3, 4, 2


def traits_of(temperature_c: torch.Tensor, first_day_of_year: int = 1) -> torch.Tensor:
    days = temperature_c.shape[1] - LOOK_BACK_DAYS
    day_of_year = torch.arange(first_day_of_year, first_day_of_year + days)
    return day_traits(temperature_c, day_of_year, (day_of_year % 7 >= 5).double())


@pytest.fixture
def problem() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    temperature_c = 15 + 5 * torch.randn(1, LOOK_BACK_DAYS + DAYS, 24, dtype=torch.float64)
    traits = traits_of(temperature_c)[0]
    use = torch.ones(DAYS, dtype=torch.bool)
    use[[5, 40, 41]] = False
    return {
        "flags": torch.randn(DAYS, FLAGS, dtype=torch.float64),
        "terms": torch.randn(DAYS, SLOTS, TERMS, dtype=torch.float64),
        "shrinkage": torch.rand(FLAGS + TERMS, dtype=torch.float64) + 0.5,
        "alike": likeness(traits, traits),
        "log_demand": torch.randn(DAYS, SLOTS, dtype=torch.float64),
        "use": use,
    }


def predicted(problem: dict[str, torch.Tensor], learn: torch.Tensor, slot: int) -> torch.Tensor:
    """The posterior mean of every day, from the whole covariance at once: a ridge regression is a process too."""
    design = torch.cat([problem["flags"], problem["terms"][:, slot]], dim=1)
    covariance = design @ torch.diag(1 / problem["shrinkage"]) @ design.T + problem["alike"]
    noisy = covariance[learn][:, learn] + torch.eye(int(learn.sum()), dtype=torch.float64)
    return covariance[:, learn] @ torch.linalg.solve(noisy, problem["log_demand"][learn, slot])


def test_ridge_and_process_are_fitted_in_one(problem: dict[str, torch.Tensor]) -> None:
    fit = fit_demand(**problem)
    for slot in range(SLOTS):
        design = torch.cat([problem["flags"], problem["terms"][:, slot]], dim=1)
        found = design @ fit.coefficients[slot] + problem["alike"] @ fit.weights[:, slot]
        torch.testing.assert_close(found, predicted(problem, problem["use"], slot))
    assert not fit.weights[~problem["use"]].any()


def test_residuals_are_those_of_fits_without_their_fold(problem: dict[str, torch.Tensor]) -> None:
    fit = fit_demand(**problem)
    fold = torch.arange(DAYS) // FOLD_DAYS
    for slot in range(SLOTS):
        for number in range(int(fold.max()) + 1):
            mine = problem["use"] & (fold == number)
            without = problem["log_demand"][:, slot] - predicted(problem, problem["use"] & (fold != number), slot)
            torch.testing.assert_close(fit.residuals[mine, slot], without[mine])
    assert torch.isnan(fit.residuals[~problem["use"]]).all()


@pytest.mark.parametrize("slots", [1, 24, 48, 96, 288])
def test_days_are_compared_on_every_grid(slots: int) -> None:
    traits = traits_of(torch.full((2, LOOK_BACK_DAYS + 5, slots), 20.0, dtype=torch.float64))
    assert traits.shape == (2, 5, WIDTH)
    torch.testing.assert_close(likeness(traits[0], traits[1]).diagonal(), torch.full((5,), VARIANCE, dtype=torch.float64))


def test_a_day_is_less_like_others_the_further_its_weather_season_or_kind_lies() -> None:
    temperature_c = torch.full((1, LOOK_BACK_DAYS + 1, 24), 20.0, dtype=torch.float64)
    here = traits_of(temperature_c)[0]

    def like(warmer_c: float, on: int, days: int) -> float:
        warm = temperature_c.clone()
        warm[:, on] += warmer_c
        return float(likeness(here, traits_of(warm, 1 + days)[0]))

    today, yesterday, before = 2, 1, 0
    assert VARIANCE > like(3, before, 0) > like(3, yesterday, 0) > like(3, today, 0) > like(9, today, 0) > 0
    assert VARIANCE > like(0, today, 28) > like(0, today, 91) > like(0, today, 182)
    assert like(0, today, 364) > 0.99 * VARIANCE
    assert like(0, today, 4) < like(0, today, 7)  # a free day


def test_what_is_left_of_the_degrees_is_a_covariance() -> None:
    temperature_c = torch.from_numpy(np.random.default_rng(1).normal(20, 8, (1, LOOK_BACK_DAYS + 60, 24)))
    traits = traits_of(temperature_c)[0]
    found = likeness(traits, traits)
    torch.testing.assert_close(found, found.T)
    assert torch.linalg.eigvalsh(found).min() > -1e-9
