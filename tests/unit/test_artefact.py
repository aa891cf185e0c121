import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting import calendar
from forecasting.artefact import Artefact, pack, series_of, unpack
from forecasting.domain import DAILY, INTERVAL, Resolution
from forecasting.errors import WeightsError
from forecasting.models import MODELS
from forecasting.predicting import FittedModel
from forecasting.training import repeatable
from tests.unit.builders import QUICK, SMALL, make_forecaster, make_layout, untold, validation_origins, weathered

HISTORY = weathered(200)
OPTIONS = {family: made.options(SMALL) for family, made in MODELS.items()}


def packed(family: str = "seq2seq_attention", resolution: Resolution = DAILY) -> tuple[FittedModel, Artefact]:
    with repeatable(0):
        forecaster = make_forecaster(family, make_layout(resolution))
        forecaster.learn(HISTORY, 144, QUICK, untold)
    model = FittedModel.raw(family, forecaster).calibrated(HISTORY, validation_origins(HISTORY))
    return model, pack(model, OPTIONS[family], HISTORY.series, {"seed": 0})


def unpacked(artefact: Artefact) -> FittedModel:
    return unpack(artefact, artefact.weights_sha256, artefact.card_sha256)


def with_card(artefact: Artefact, **changes: object) -> Artefact:
    """An artefact whose card says something else."""
    return Artefact(artefact.weights, json.dumps({**json.loads(artefact.card), **changes}).encode())


def flipped(content: bytes, place: float, mask: int) -> bytes:
    """Some bits of one byte flipped; `place` from 0 to 1."""
    at = int(place * (len(content) - 1))
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


@pytest.mark.parametrize("resolution", [DAILY, INTERVAL])
@pytest.mark.parametrize("family", MODELS)
def test_a_round_trip_gives_the_same_forecasts_to_the_last_bit(family: str, resolution: Resolution) -> None:
    model, artefact = packed(family, resolution)
    again = unpacked(artefact)
    origins = np.array([40, 150, 200])
    told, found = model.forecast(HISTORY, origins), again.forecast(HISTORY, origins)
    np.testing.assert_array_equal(found.quantiles, told.quantiles)
    np.testing.assert_array_equal(found.mean, told.mean)
    assert (again.family, again.calibration) == (model.family, model.calibration)
    assert again.forecaster.layout == model.forecaster.layout


def test_packing_twice_gives_the_same_bytes() -> None:
    assert packed()[1] == packed()[1]


PACKED = packed()[1]


@given(place=st.floats(0, 1), mask=st.integers(1, 255))
def test_any_flipped_bit_of_the_weights_is_noticed(place: float, mask: int) -> None:
    broken = Artefact(flipped(PACKED.weights, place, mask), PACKED.card)
    with pytest.raises(WeightsError, match=r"weights\.safetensors has digest .*; retrain"):
        unpack(broken, PACKED.weights_sha256, PACKED.card_sha256)


@given(place=st.floats(0, 1), mask=st.integers(1, 255))
def test_any_flipped_bit_of_the_card_is_noticed(place: float, mask: int) -> None:
    broken = Artefact(PACKED.weights, flipped(PACKED.card, place, mask))
    with pytest.raises(WeightsError, match=r"card\.json has digest .*; retrain"):
        unpack(broken, PACKED.weights_sha256, PACKED.card_sha256)


@pytest.mark.parametrize("size", [0, 1, len(PACKED.weights) - 1])
def test_cut_off_weights_are_noticed(size: int) -> None:
    with pytest.raises(WeightsError, match="digest"):
        unpack(Artefact(PACKED.weights[:size], PACKED.card), PACKED.weights_sha256, PACKED.card_sha256)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": [*calendar.FEATURES, "moon"]},
        {"features": list(reversed(calendar.FEATURES))},
        {"levels": [0.05, 0.5, 0.95]},
        {"format": 1},
    ],
)
def test_a_model_made_for_something_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="made for other features or quantiles"):
        unpacked(with_card(PACKED, **changes))


def test_weights_that_do_not_fit_the_card_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        unpacked(with_card(PACKED, options={**OPTIONS["seq2seq_attention"], "hidden": 9}))


def test_weights_of_another_family_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        unpacked(with_card(PACKED, family="weekly_naive", options=OPTIONS["weekly_naive"]))


def test_weights_that_are_no_safetensors_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        unpacked(Artefact(b"not weights", PACKED.card))


@pytest.mark.parametrize("changes", [{"family": "a_family_of_the_past"}, {"options": {"an_option_of_the_past": 1}}])
def test_a_model_of_a_family_or_option_that_is_no_more_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(WeightsError):
        unpacked(with_card(PACKED, **changes))


def test_the_card_can_be_read_by_a_person() -> None:
    card = json.loads(PACKED.card)
    assert card["family"] == "seq2seq_attention"
    assert card["options"] == OPTIONS["seq2seq_attention"]
    assert card["provenance"] == {"seed": 0}
    assert PACKED.card.count(b"\n") > 10


def test_the_card_tells_whose_demand_it_is() -> None:
    assert series_of(PACKED) == HISTORY.series
    with pytest.raises(WeightsError, match="does not say whose demand"):
        series_of(with_card(PACKED, series=None))
