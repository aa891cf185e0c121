from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from forecasting import plotting
from forecasting.history import History
from forecasting.models.base import Epoch
from forecasting.predicting import Judged, forecast_frame, published_quantiles
from forecasting.watching.realised import RealisedLoss
from tests.unit.builders import make_history, make_model, make_series, seasonal, validation_origins

PNG = b"\x89PNG\r\n\x1a\n"
EPOCHS = [Epoch(number, 3, 1 / number, 1.1 / number) for number in (1, 2, 3)]


def history_of(simulated: bool = False, filled: tuple[int, ...] = ()) -> History:
    series = make_series("simulated" if simulated else "vic", simulated=simulated)
    return make_history(seasonal(300), filled=filled, series=series)


def forecast_picture(history: History) -> Figure:
    return plotting.forecast_picture(history, forecast_frame(make_model("weekly_naive", history), history), "model version 7")


def losses_picture(history: History) -> Figure:
    return plotting.losses_picture(EPOCHS, history.series)


def validation_picture(history: History) -> Figure:
    positions = validation_origins(history)
    quantiles = published_quantiles(make_model("weekly_naive", history).forecast(history, positions))
    return plotting.validation_picture(history, positions, quantiles, quantiles[..., 1])


def lead_picture(history: History) -> Figure:
    return plotting.lead_picture(history.series, {"weekly_naive": [3.0, 4.0], "net": [1.0, 2.0]}, "MWh")


def calibration_picture(history: History) -> Figure:
    return plotting.calibration_picture(history.series, {"net": {0.1: 0.12, 0.5: 0.5, 0.9: 0.87}})


def residual_picture(history: History) -> Figure:
    warm = replace(history, temperature_c=np.linspace(0.0, 30.0, history.demand_mwh.size).reshape(history.demand_mwh.shape))
    judged = Judged.of(make_model("weekly_naive", history), warm, validation_origins(history))
    return plotting.residual_picture(warm, judged.origins, judged.actual, judged.forecast.median)


def attention_picture(history: History) -> Figure:
    weights = np.random.default_rng(0).dirichlet(np.ones(28), size=14)
    return plotting.attention_picture(history, len(history), weights)


def watched_picture(history: History) -> Figure:
    days = [day.date() for day in history.days[-60:]]
    losses = [RealisedLoss(day, 2.0 + (n > 50), {"weekly_naive": 4.0, "predecessor": 2.0}) for n, day in enumerate(days)]
    return plotting.watched_picture(history.series, losses, days[51])


PICTURES = [
    forecast_picture,
    losses_picture,
    validation_picture,
    lead_picture,
    calibration_picture,
    residual_picture,
    attention_picture,
    watched_picture,
]


def test_watched_losses_are_ratios_to_each_yardstick() -> None:
    axes = watched_picture(history_of()).axes[0]
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
    assert lines["against predecessor"][[0, -1]].tolist() == [1.0, 1.5]
    assert lines["against weekly naive"][[0, -1]].tolist() == [0.5, 0.75]
    assert any(label.startswith("risen since") for label in lines)


def test_residuals_stand_over_the_temperature_of_their_day() -> None:
    history = history_of()
    positions, leads = validation_origins(history), np.arange(14)
    celsius = np.tile(np.arange(len(history), dtype=float)[:, None], history.slots)
    celsius[positions[0] + 1, 3] = np.nan
    warm = replace(history, temperature_c=celsius)
    actual = warm.energy_mwh[positions[:, None] + leads]
    axes = plotting.residual_picture(warm, positions, actual, actual - 2000.0 * (1 + leads)).axes[0]
    points = {str(line.get_label()): line for line in axes.lines}
    two = points["1 to 2 days ahead"]
    np.testing.assert_allclose(np.asarray(two.get_ydata())[:2], [2, 4])
    assert np.asarray(two.get_xdata())[0] == positions[0]
    assert np.isnan(np.asarray(two.get_xdata())[1]), "a temperature that is not known throughout the day"
    assert len(np.asarray(points["8 to 14 days ahead"].get_xdata())) == 7 * len(positions)


def test_the_axes_of_an_attention_map_name_days() -> None:
    axes = attention_picture(history_of()).axes[0]  # of 300 days from 2012-01-01 on
    past, target = ([label.get_text() for label in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels()))
    assert (past[0], past[-1], len(past)) == ("Sat 29 Sep", "Fri 26 Oct", 28)
    assert (target[0], target[-1], len(target)) == ("Sat 27 Oct", "Fri 09 Nov", 14)


def test_losses_by_lead_and_calibration_are_drawn_as_given() -> None:
    history = history_of()
    by_lead = {str(line.get_label()): line for line in lead_picture(history).axes[0].lines}
    assert list(by_lead["net"].get_xdata()) == [1, 2]
    assert list(by_lead["net"].get_ydata()) == [1.0, 2.0]
    shares = {str(line.get_label()): line for line in calibration_picture(history).axes[0].lines}
    assert list(shares["net"].get_xdata()) == [0.1, 0.5, 0.9]
    assert list(shares["net"].get_ydata()) == [0.12, 0.5, 0.87]


def words(figure: Figure) -> str:
    axes = figure.axes[0]
    return " ".join([figure.get_suptitle(), axes.get_title(loc="left"), *(text.get_text() for text in axes.texts)])


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_of_a_simulated_series_says_so(picture: object) -> None:
    assert callable(picture)
    simulated, real = picture(history_of(simulated=True)), picture(history_of())
    assert simulated.get_suptitle().startswith("SIMULATED, not real. ")
    assert "SIMULATED" in [text.get_text() for text in simulated.axes[0].texts]  # across the picture, should the title be cut off
    assert "SIMULATED" not in words(real)


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_written_whole(picture: object, tmp_path: Path) -> None:
    assert callable(picture)
    path = tmp_path / "pictures" / "vic-2014-01-01.png"
    assert plotting.save(picture(history_of()), path) == path
    assert path.read_bytes().startswith(PNG)
    assert [file.name for file in path.parent.iterdir()] == ["vic-2014-01-01.png"]


def test_a_picture_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    plotting.save(losses_picture(history_of()), path)
    assert path.read_bytes().startswith(PNG)


def test_filled_days_are_shown_as_missing() -> None:
    labels = {line.get_label(): line for line in forecast_picture(history_of(filled=(280, 290))).axes[0].lines}
    missing = labels["missing, a week earlier shown"]
    assert len(missing.get_xdata()) == 2
    assert not any("missing" in str(line.get_label()) for line in forecast_picture(history_of(filled=(10,))).axes[0].lines)


def test_the_forecast_picture_shows_the_forecast() -> None:
    history = history_of()
    forecast = forecast_frame(make_model("weekly_naive", history), history)
    figure = forecast_picture(history)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["median"].get_ydata(), forecast["q50"] / 1000)
    np.testing.assert_allclose(lines["observed"].get_ydata(), history.energy_mwh[-42:] / 1000)
    assert "model version 7; last observed day Fri 26 Oct 2012" in words(figure)
