"""A fitted model as two files: weights as safetensors, everything else as a JSON card. Nothing in them can run code."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from forecasting import calendar
from forecasting.calibration import Calibration
from forecasting.card import FORMAT, read_card
from forecasting.domain import LEVELS, Series
from forecasting.errors import WeightsError
from forecasting.models import build
from forecasting.models.base import Forecaster
from forecasting.predicting import FittedModel

WEIGHTS, CARD = "weights.safetensors", "card.json"
REMEDY = "retrain, or move the champion alias to another version in MLflow"


@dataclass(frozen=True, slots=True)
class Artefact:
    """The two files of a model version."""

    weights: bytes
    card: bytes

    @property
    def weights_sha256(self) -> str:
        return hashlib.sha256(self.weights).hexdigest()

    @property
    def card_sha256(self) -> str:
        return hashlib.sha256(self.card).hexdigest()


def pack(model: FittedModel, options: dict[str, Any], series: Series, provenance: dict[str, Any]) -> Artefact:
    """Write a model down.

    Args:
        options: what its family was built with.
        series: whose demand it forecasts.
        provenance: anything a person may want to know of its making; not needed to use it.
    """
    card = {
        "format": FORMAT,
        "family": model.family,
        "options": options,
        "features": list(calendar.FEATURES),
        "levels": list(LEVELS),
        "layout": asdict(model.forecaster.layout),
        "calibration": model.calibration.factors,
        "series": {
            "series_id": series.series_id,
            "name": series.name,
            "region": series.region,
            "time_zone": series.time_zone,
            "interval_minutes": series.interval // timedelta(minutes=1),
            "source": series.source,
            "simulated": series.simulated,
        },
        "provenance": provenance,
    }
    return Artefact(
        save({name: value.contiguous() for name, value in model.forecaster.state_dict().items()}),
        json.dumps(card, indent=2, allow_nan=False).encode(),
    )


def unpack(artefact: Artefact, weights_sha256: str, card_sha256: str) -> FittedModel:
    """Read a model back, after checking that both files are the ones that were registered.

    Raises:
        WeightsError: a digest differs; or see `read`.
    """
    for name, found, registered in (
        (WEIGHTS, artefact.weights_sha256, weights_sha256),
        (CARD, artefact.card_sha256, card_sha256),
    ):
        if found != registered:
            raise WeightsError(f"{name} has digest {found[:12]}..., {registered[:12]}... was registered", REMEDY)
    return read(artefact)


def read(artefact: Artefact) -> FittedModel:
    """Read a model back, unchecked: whatever the two files say, no code of theirs runs.

    Raises:
        WeightsError: the model was made for other features or quantiles than this code has, or its weights do not fit.
    """
    card = read_card(artefact.card, REMEDY)
    layout = card.layout.layout
    try:
        state = load(artefact.weights)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise WeightsError(f"the weights do not fit the model: {_first_line(error)}", REMEDY) from None
    try:
        with torch.device("meta"):  # takes no memory, however large the card says that it is
            sketch = build(card.family, layout, **card.options)
        _require_shapes(sketch, state)
        forecaster = build(card.family, layout, **card.options)
    except (KeyError, TypeError):
        raise WeightsError(f"this fortnight knows no family {card.family} with options {card.options}", REMEDY) from None
    except (ValueError, RuntimeError, ArithmeticError) as error:
        raise WeightsError(f"no {card.family} can be made with options {card.options}: {_first_line(error)}", REMEDY) from None
    try:
        forecaster.restore(state)
    except RuntimeError as error:
        raise WeightsError(f"the weights do not fit the model: {_first_line(error)}", REMEDY) from None
    return FittedModel(card.family, forecaster, Calibration(tuple(tuple(row) for row in card.calibration)))


def series_of(artefact: Artefact) -> Series:
    """The series whose demand a model forecasts.

    Raises:
        WeightsError: the card does not tell, as those of old.
    """
    told = read_card(artefact.card, REMEDY).series
    if told is None:
        raise WeightsError("the card does not say whose demand the model forecasts", "retrain")
    return told.series


def _require_shapes(sketch: Forecaster, state: Mapping[str, Tensor]) -> None:
    """What is built must be as large as what was stored, which is no larger than its file.

    Raises:
        WeightsError: it is not.
    """
    for name, value in sketch.state_dict().items():
        if name not in sketch.shaped_by_data and (name not in state or state[name].shape != value.shape):
            found = f"has {list(state[name].shape)} of {list(value.shape)}" if name in state else "is missing"
            raise WeightsError(f"the weights do not fit the model: {name} {found}", REMEDY)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
