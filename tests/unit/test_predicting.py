import numpy as np
import pandas as pd
import pytest
from forecasting.models.weekly_naive import WeeklyNaive

from forecasting import metrics
from forecasting.models import MODELS
from forecasting.predicting import SWANSON, FittedModel, Score, actual_mwh, forecast_frame, score
from forecasting.windows import Scaler, WindowSpec, windows_between
from tests.unit.builders import SPEC, first_days, make_history, make_model, make_split, naive_with_bands, seasonal, utc

HISTORY = make_history(seasonal(400, noise=0.05))
PARTS = make_split(HISTORY)
COLUMNS = ["lead", "target_start", "target_end", "mean", "q10", "q50", "q90"]


def width(model: FittedModel) -> np.ndarray:
    quantiles = model.quantiles_mwh(HISTORY, PARTS.validation.positions)
    return quantiles[..., -1] - quantiles[..., 0]


def validation_score(model: FittedModel) -> float:
    return score(model, HISTORY, PARTS.validation, mase_scale_mwh=1.0).coverage_80


def test_calibration_gives_an_overconfident_model_the_coverage_it_claims() -> None:
    overconfident = naive_with_bands(HISTORY, below=0.01, above=0.02)
    assert validation_score(overconfident) < 0.1
    calibrated = overconfident.calibrated(HISTORY, PARTS.validation)
    assert validation_score(calibrated) == pytest.approx(0.8, abs=0.01)
    quantiles = calibrated.quantiles_mwh(HISTORY, PARTS.validation.positions)
    actual = actual_mwh(HISTORY, PARTS.validation)
    assert (actual < quantiles[..., 0]).mean() == pytest.approx(0.1, abs=0.01)
    assert (actual > quantiles[..., -1]).mean() == pytest.approx(0.1, abs=0.01)


def test_calibration_never_narrows() -> None:
    cautious = naive_with_bands(HISTORY, below=50, above=50)
    assert validation_score(cautious) == 1
    np.testing.assert_array_equal(width(cautious.calibrated(HISTORY, PARTS.validation)), width(cautious))


@pytest.mark.parametrize("family", MODELS)
def test_calibration_keeps_the_median_and_the_order(family: str) -> None:
    model = make_model(family, HISTORY)
    calibrated = model.calibrated(HISTORY, PARTS.validation)
    before, after = (m.quantiles_mwh(HISTORY, PARTS.validation.positions) for m in (model, calibrated))
    np.testing.assert_array_equal(after[..., 1], before[..., 1])
    assert (np.diff(after, axis=-1) >= 0).all()
    assert (width(calibrated) >= width(model)).all()


def test_leads_whose_band_has_collapsed_do_not_blow_up_the_others() -> None:
    model = naive_with_bands(HISTORY, below=0.5, above=0.5)
    offsets = model.network.state_dict()["offsets"].clone()
    offsets[:3] = 0
    model.network.load_state_dict({"offsets": offsets})
    positions = PARTS.validation.positions
    error = np.abs(actual_mwh(HISTORY, PARTS.validation) - model.quantiles_mwh(HISTORY, positions)[..., 1])
    assert width(model.calibrated(HISTORY, PARTS.validation)).max() < 10 * error.max()


def test_calibration_does_not_build_on_an_earlier_one() -> None:
    once = naive_with_bands(HISTORY, below=0.01, above=0.02).calibrated(HISTORY, PARTS.validation)
    assert once.calibrated(HISTORY, PARTS.validation).widening == once.widening


def test_calibration_does_not_move_the_mean() -> None:
    model = naive_with_bands(HISTORY, below=0.01, above=0.5)
    calibrated = model.calibrated(HISTORY, PARTS.validation)
    before, after = forecast_frame(model, HISTORY), forecast_frame(calibrated, HISTORY)
    assert (after["q10"] < before["q10"]).all()
    np.testing.assert_array_equal(after["mean"], before["mean"])


def test_uncalibrated_gives_the_bands_as_trained_back() -> None:
    model = naive_with_bands(HISTORY, below=0.01, above=0.02)
    calibrated = model.calibrated(HISTORY, PARTS.validation)
    assert (width(calibrated) > width(model)).all()
    np.testing.assert_array_equal(width(calibrated.uncalibrated()), width(model))


def test_actual_values_are_those_of_the_target_days() -> None:
    actual = actual_mwh(HISTORY, PARTS.validation)
    assert actual.shape == PARTS.validation.target.shape
    np.testing.assert_allclose(PARTS.scaler.scale(actual), PARTS.validation.target.numpy(), atol=1e-6)


def test_score_is_made_of_the_metrics() -> None:
    model = naive_with_bands(HISTORY, below=1, above=1)
    found = score(model, HISTORY, PARTS.validation, mase_scale_mwh=2000.0)
    actual = actual_mwh(HISTORY, PARTS.validation)
    quantiles = model.quantiles_mwh(HISTORY, PARTS.validation.positions)
    assert found.windows == len(PARTS.validation)
    assert found.pinball_mwh == metrics.mean_pinball(actual, quantiles, (0.1, 0.5, 0.9))
    assert found.mape_percent == metrics.mape(actual, quantiles[..., 1])
    assert found.mase == metrics.mase(actual, quantiles[..., 1], 2000.0)
    assert found.coverage_80 == metrics.coverage(actual, quantiles[..., 0], quantiles[..., 2])


def test_a_perfect_median_scores_zero() -> None:
    weekly = make_history(np.tile(np.arange(1.0, 8.0), 60))
    found = score(naive_with_bands(weekly, 0, 0), weekly, make_split(weekly).validation, mase_scale_mwh=1.0)
    assert (found.pinball_mwh, found.mape_percent, found.mase) == pytest.approx((0, 0, 0), abs=1e-5)


@pytest.mark.parametrize("family", MODELS)
def test_a_forecast_frame_is_complete_finite_and_in_order(family: str) -> None:
    frame = forecast_frame(make_model(family, HISTORY), HISTORY)
    assert list(frame.columns) == COLUMNS
    assert frame["lead"].tolist() == list(range(1, SPEC.horizon_days + 1))
    assert np.isfinite(frame[["mean", "q10", "q50", "q90"]].to_numpy()).all()
    assert ((frame["q10"] <= frame["q50"]) & (frame["q50"] <= frame["q90"])).all()
    np.testing.assert_allclose(frame["mean"], frame[["q10", "q50", "q90"]].to_numpy() @ np.array(SWANSON))
    assert str(frame["target_start"].dtype.tz) == str(frame["target_end"].dtype.tz) == "UTC"


@pytest.mark.parametrize(
    ("last_day", "change", "hours"), [("2014-03-30", "2014-04-06", 25), ("2014-09-30", "2014-10-05", 23), ("2014-06-01", None, 24)]
)
def test_target_days_are_local_days_across_a_clock_change(last_day: str, change: str | None, hours: int) -> None:
    first = pd.Timestamp(last_day) - pd.Timedelta(days=399)
    history = make_history(seasonal(400), first=f"{first:%F}")
    frame = forecast_frame(make_model("weekly_naive", history), history)
    local = frame["target_start"].dt.tz_convert(history.series.zone)
    days = pd.date_range(pd.Timestamp(last_day) + pd.Timedelta(days=1), periods=SPEC.horizon_days)
    assert local.dt.strftime("%F %T").tolist() == [f"{day:%F} 00:00:00" for day in days]
    assert frame["target_start"].iloc[0] == history.origin
    assert (frame["target_start"].iloc[1:].to_numpy() == frame["target_end"].iloc[:-1].to_numpy()).all()
    length = (frame["target_end"] - frame["target_start"]) / pd.Timedelta(hours=1)
    assert dict(zip(local.dt.strftime("%F"), length, strict=True)) == {
        f"{day:%F}": hours if f"{day:%F}" == change else 24 for day in days
    }


def test_the_forecast_is_that_of_the_window_after_the_last_known_day() -> None:
    model, known = make_model("seq2seq_attention", HISTORY), first_days(HISTORY, 390)
    frame = forecast_frame(model, known)
    np.testing.assert_array_equal(frame[["q10", "q50", "q90"]], model.quantiles_mwh(HISTORY, np.array([390]))[0])


def test_the_median_of_weekly_naive_is_the_last_week_in_mwh() -> None:
    frame = forecast_frame(naive_with_bands(HISTORY, 1, 1), HISTORY)
    np.testing.assert_allclose(frame["q50"], np.tile(HISTORY.energy_mwh[-7:], 2), rtol=1e-6)


def test_origin_in_utc() -> None:
    assert first_days(make_history(seasonal(30), first="2014-03-30"), 7).origin == utc("2014-04-05 13:00")


def test_the_newest_week_is_scored_by_itself() -> None:
    """Errors in the last seven target days move the newest week's loss and, diluted, the whole; older ones only the whole."""
    values = np.tile([100.0, 110.0, 120.0, 130.0, 140.0, 90.0, 80.0], 12)
    naive = FittedModel("weekly_naive", WeeklyNaive(14), WindowSpec(14, 14), Scaler(0.0, 1.0))

    def scored(disturbed_day: int | None) -> Score:
        energy = values.copy()
        if disturbed_day is not None:
            energy[disturbed_day] += 50.0
        past = make_history(energy)
        return score(naive, past, windows_between(past, 40, len(past), naive.spec, naive.scaler), 1.0)

    assert scored(None).pinball_mwh == scored(None).newest_week_pinball_mwh == 0
    assert scored(-1).newest_week_pinball_mwh > scored(-1).pinball_mwh > 0
    assert scored(-30).newest_week_pinball_mwh == 0
    assert scored(-30).pinball_mwh > 0
