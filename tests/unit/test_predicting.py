import numpy as np
import pandas as pd
import pytest

from forecasting import metrics
from forecasting.calibration import Calibration
from forecasting.domain import DAILY, INTERVAL, LEVELS, QUANTILES
from forecasting.models import MODELS
from forecasting.models.base import Forecast, mean_of
from forecasting.models.past_weeks import PastWeeks
from forecasting.predicting import (
    FittedModel,
    Judged,
    Score,
    actual_mwh,
    column,
    forecast_frame,
    losses_by_day,
    published_quantiles,
    score,
)
from tests.unit.builders import (
    LAYOUT,
    QUICK,
    make_forecaster,
    make_history,
    naive_with_bands,
    seasonal,
    untold,
    utc,
    validation_origins,
    weathered,
)

HISTORY = make_history(seasonal(400, noise=0.05))
ORIGINS = validation_origins(HISTORY)
ACTUAL = actual_mwh(HISTORY, ORIGINS, DAILY, 14)
COLUMNS = ["lead", "target_start", "target_end", "mean", *(column(level) for level in LEVELS)]


def learnt(family: str) -> FittedModel:
    forecaster = make_forecaster(family)
    forecaster.learn(HISTORY, 344, QUICK, untold)
    return FittedModel.raw(family, forecaster)


def at(model: FittedModel) -> np.ndarray:
    return published_quantiles(model.forecast(HISTORY, ORIGINS))


def width(model: FittedModel) -> np.ndarray:
    quantiles = at(model)
    return np.asarray(quantiles[..., -1] - quantiles[..., 0])


def validation_score(model: FittedModel) -> float:
    return score(model, HISTORY, ORIGINS, mase_scale_mwh=1.0).coverage_80


def test_calibration_gives_an_overconfident_model_the_coverage_it_claims() -> None:
    overconfident = naive_with_bands(below=30, above=60)
    assert validation_score(overconfident) < 0.1
    calibrated = overconfident.calibrated(HISTORY, ORIGINS)
    assert validation_score(calibrated) == pytest.approx(0.8, abs=0.03)
    quantiles = at(calibrated)
    assert (quantiles[..., 0] > ACTUAL).mean() == pytest.approx(0.1, abs=0.02)
    assert (quantiles[..., -1] < ACTUAL).mean() == pytest.approx(0.1, abs=0.02)


def test_calibration_goes_by_lead() -> None:
    """Errors of the second week three times as large: its bands become three times as wide, the first week's do not."""
    numbers = np.random.default_rng(0)
    base = np.full((4000, 14), 1000.0)
    spread = np.where(np.arange(14) < 7, 10.0, 30.0)
    quantiles = base[..., None] + np.array(LEVELS) - 0.5
    forecast = Forecast(base, quantiles)
    actual = base + spread * numbers.standard_normal(base.shape)
    widened = Calibration.fit(forecast, actual, per_day=1).applied(forecast)
    width = widened.level(0.9) - widened.level(0.1)
    assert width[0, 0] == pytest.approx(2 * 1.2816 * 10, rel=0.05)
    assert width[0, 13] == pytest.approx(2 * 1.2816 * 30, rel=0.05)
    assert (np.diff(widened.quantiles, axis=-1) >= 0).all()
    np.testing.assert_array_equal(widened.mean, forecast.mean)


def test_calibration_never_narrows() -> None:
    cautious = naive_with_bands(below=1e5, above=1e5)
    assert validation_score(cautious) == 1
    np.testing.assert_array_equal(width(cautious.calibrated(HISTORY, ORIGINS)), width(cautious))


@pytest.mark.parametrize("family", MODELS)
def test_calibration_keeps_the_median_and_the_order(family: str) -> None:
    model = learnt(family)
    calibrated = model.calibrated(HISTORY, ORIGINS)
    before, after = (each.forecast(HISTORY, ORIGINS) for each in (model, calibrated))
    np.testing.assert_array_equal(after.median, before.median)
    assert (np.diff(after.quantiles, axis=-1) >= 0).all()
    assert (after.quantiles[..., -1] - after.quantiles[..., 0] >= before.quantiles[..., -1] - before.quantiles[..., 0] - 1e-6).all()


def test_leads_whose_band_has_collapsed_do_not_blow_up_the_others() -> None:
    model = naive_with_bands(below=1000, above=1000)
    assert isinstance(model.forecaster, PastWeeks)
    model.forecaster.offsets_mwh[:3] = 0
    error = np.abs(ACTUAL - at(model)[..., 1])
    assert width(model.calibrated(HISTORY, ORIGINS)).max() < 10 * error.max()


def test_calibration_does_not_build_on_an_earlier_one() -> None:
    once = naive_with_bands(below=30, above=60).calibrated(HISTORY, ORIGINS)
    assert once.calibrated(HISTORY, ORIGINS).calibration == once.calibration


def test_calibration_does_not_move_the_mean() -> None:
    model = naive_with_bands(below=30, above=1500)
    before, after = forecast_frame(model, HISTORY), forecast_frame(model.calibrated(HISTORY, ORIGINS), HISTORY)
    assert (after["q10"] < before["q10"]).all()
    np.testing.assert_array_equal(after["mean"], before["mean"])


def test_uncalibrated_gives_the_bands_as_trained_back() -> None:
    model = naive_with_bands(below=30, above=60)
    calibrated = model.calibrated(HISTORY, ORIGINS)
    assert (width(calibrated) > width(model)).all()
    np.testing.assert_array_equal(width(calibrated.uncalibrated()), width(model))


def test_actual_values_are_those_of_the_target_days_and_slots() -> None:
    np.testing.assert_array_equal(ACTUAL[3], HISTORY.energy_mwh[ORIGINS[3] : ORIGINS[3] + 14])
    known = weathered(60)
    slots = actual_mwh(known, np.array([40]), INTERVAL, 3 * known.slots)
    np.testing.assert_array_equal(slots[0].reshape(3, -1), known.demand_mwh[40:43])


def test_score_is_made_of_the_metrics() -> None:
    model = naive_with_bands(below=3000, above=3000)
    found, quantiles = score(model, HISTORY, ORIGINS, mase_scale_mwh=2000.0), at(model)
    assert found.windows == len(ORIGINS)
    assert found.pinball_mwh == metrics.mean_pinball(ACTUAL, quantiles, QUANTILES)
    assert found.mape_percent == metrics.mape(ACTUAL, quantiles[..., 1])
    assert found.mase == metrics.mase(ACTUAL, quantiles[..., 1], 2000.0)
    assert found.coverage_80 == metrics.coverage(ACTUAL, quantiles[..., 0], quantiles[..., 2])


def test_losses_by_day_are_means_over_the_origins_that_forecast_it() -> None:
    model = naive_with_bands(below=3000, above=3000)
    losses, quantiles = losses_by_day(model, HISTORY, ORIGINS), at(model)
    assert len(losses) == 56
    assert losses[0] == pytest.approx(metrics.mean_pinball(ACTUAL[:1, :1], quantiles[:1, :1], QUANTILES))
    second = [metrics.mean_pinball(ACTUAL[[row], [lead]], quantiles[[row], [lead]], QUANTILES) for row, lead in ((0, 1), (1, 0))]
    assert losses[1] == pytest.approx(np.mean(second))


def test_losses_by_lead_are_those_of_each_day_ahead() -> None:
    model = naive_with_bands(below=3000, above=3000)
    judged, quantiles = Judged.of(model, HISTORY, ORIGINS), at(model)
    assert np.mean(judged.pinball_by_lead()) == pytest.approx(judged.score(1.0).pinball_mwh)
    assert judged.pinball_by_lead()[8] == metrics.mean_pinball(ACTUAL[:, 8:9], quantiles[:, 8:9], QUANTILES)
    assert judged.mape_by_lead()[0] == metrics.mape(ACTUAL[:, :1], quantiles[:, :1, 1])
    assert list(judged.shares_below()) == list(LEVELS)
    assert judged.shares_below()[0.9] == (quantiles[..., 2] >= ACTUAL).mean()


def test_what_was_forecast_raw_is_what_a_calibrated_model_publishes() -> None:
    model = naive_with_bands(below=30, above=60)
    raw = Judged.of(model, HISTORY, ORIGINS)
    calibrated = model.calibrated(HISTORY, ORIGINS, raw.forecast)
    assert calibrated == model.calibrated(HISTORY, ORIGINS)
    np.testing.assert_array_equal(raw.calibrated(calibrated).quantiles, at(calibrated))


def test_a_perfect_median_scores_zero() -> None:
    weekly = make_history(np.tile(np.arange(1.0, 8.0), 60))
    found = score(naive_with_bands(0, 0), weekly, validation_origins(weekly), mase_scale_mwh=1.0)
    assert (found.pinball_mwh, found.mape_percent, found.mase) == pytest.approx((0, 0, 0), abs=1e-5)


def test_the_mean_of_quantiles_is_that_of_the_distribution() -> None:
    exact = np.array([[10.0] * len(LEVELS), np.linspace(0, 1, 15)])
    assert mean_of(exact)[0] == pytest.approx(10)
    symmetric = 5 + np.array(LEVELS) - 0.5
    assert mean_of(symmetric) == pytest.approx(5)


@pytest.mark.parametrize("family", MODELS)
def test_a_forecast_frame_is_complete_finite_and_in_order(family: str) -> None:
    frame = forecast_frame(learnt(family), HISTORY)
    assert list(frame.columns) == COLUMNS
    assert frame["lead"].tolist() == list(range(1, LAYOUT.horizon_days + 1))
    assert np.isfinite(frame[["mean", "q10", "q50", "q90"]].to_numpy()).all()
    assert ((frame["q10"] <= frame["q50"]) & (frame["q50"] <= frame["q90"])).all()
    levels = frame[COLUMNS[4:]].to_numpy()
    assert (np.diff(levels, axis=1) >= 0).all()
    assert ((frame["mean"] > levels[:, 0]) & (frame["mean"] < levels[:, -1])).all()
    assert str(frame["target_start"].dtype.tz) == str(frame["target_end"].dtype.tz) == "UTC"


@pytest.mark.parametrize(
    ("last_day", "change", "hours"), [("2014-03-30", "2014-04-06", 25), ("2014-09-30", "2014-10-05", 23), ("2014-06-01", None, 24)]
)
def test_target_days_are_local_days_across_a_clock_change(last_day: str, change: str | None, hours: int) -> None:
    first = pd.Timestamp(last_day) - pd.Timedelta(days=399)
    history = make_history(seasonal(400), first=f"{first:%F}")
    frame = forecast_frame(naive_with_bands(1, 1), history)
    local = frame["target_start"].dt.tz_convert(history.series.zone)
    days = pd.date_range(pd.Timestamp(last_day) + pd.Timedelta(days=1), periods=LAYOUT.horizon_days)
    assert local.dt.strftime("%F %T").tolist() == [f"{day:%F} 00:00:00" for day in days]
    assert frame["target_start"].iloc[0] == history.origin
    assert (frame["target_start"].iloc[1:].to_numpy() == frame["target_end"].iloc[:-1].to_numpy()).all()
    length = (frame["target_end"] - frame["target_start"]) / pd.Timedelta(hours=1)
    assert dict(zip(local.dt.strftime("%F"), length, strict=True)) == {
        f"{day:%F}": hours if f"{day:%F}" == change else 24 for day in days
    }


def test_the_forecast_is_that_of_the_window_after_the_last_known_day() -> None:
    model = learnt("seq2seq_attention")
    frame = forecast_frame(model, HISTORY.before(390))
    np.testing.assert_allclose(frame[COLUMNS[4:]], model.forecast(HISTORY, np.array([390])).quantiles[0], rtol=1e-9)


def test_the_median_of_weekly_naive_is_the_last_week_in_mwh() -> None:
    frame = forecast_frame(naive_with_bands(1, 1), HISTORY)
    np.testing.assert_allclose(frame["q50"], np.tile(HISTORY.energy_mwh[-7:], 2), rtol=1e-6)


def test_origin_in_utc() -> None:
    assert make_history(seasonal(30), first="2014-03-30").before(7).origin == utc("2014-04-05 13:00")


def test_the_newest_week_is_scored_by_itself() -> None:
    """Errors in the last seven target days move the newest week's loss and, diluted, the whole; older ones only the whole."""
    values = np.tile([100.0, 110.0, 120.0, 130.0, 140.0, 90.0, 80.0], 12)
    naive = naive_with_bands(0, 0)

    def scored(disturbed_day: int | None) -> Score:
        energy = values.copy()
        if disturbed_day is not None:
            energy[disturbed_day] += 50.0
        past = make_history(energy)
        return score(naive, past, np.arange(40, len(past) - 13), 1.0)

    assert scored(None).pinball_mwh == pytest.approx(0, abs=1e-9)
    assert scored(None).newest_week_pinball_mwh == pytest.approx(0, abs=1e-9)
    assert scored(-1).newest_week_pinball_mwh > scored(-1).pinball_mwh > 0
    assert scored(-30).newest_week_pinball_mwh == pytest.approx(0, abs=1e-9)
    assert scored(-30).pinball_mwh > 0
