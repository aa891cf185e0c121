"""Tables in, histories out; what a table may not be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.artefact import pack
from forecasting.domain import Information
from forecasting.errors import HistoryError, WeightsError
from forecasting.history import History
from forecasting.models import MODELS
from forecasting.predicting import FittedModel
from forecasting.serving import Served, readings_of
from tests.unit.builders import LAYOUT, SMALL, make_forecaster, make_history, make_model, seasonal, weathered

HISTORY = make_history(seasonal(300), first="2012-01-01")  # summer time of Melbourne ends and begins within
TABLE = readings_of(HISTORY)


def served(history: History = HISTORY) -> Served:
    model = make_model("two_stage_ridge", history)
    return Served(pack(model, MODELS["two_stage_ridge"].options(SMALL), history.series, {}))


def test_a_history_written_as_a_table_is_read_back() -> None:
    assert len(TABLE) == int(HISTORY.weights.sum())
    shuffled = TABLE.sample(frac=1, random_state=0)
    found = served().history(shuffled)
    assert list(found.days) == list(HISTORY.days)
    np.testing.assert_allclose(found.demand_mwh, HISTORY.demand_mwh)
    assert found.temperature_c is None
    warm = weathered(200, slots=24)
    read = served(warm).history(readings_of(warm))
    assert read.temperature_c is not None
    assert warm.temperature_c is not None
    np.testing.assert_allclose(read.demand_mwh, warm.demand_mwh)
    ordinary = (warm.weights == 1).all(axis=1)
    np.testing.assert_allclose(read.temperature_c[ordinary], warm.temperature_c[ordinary])


def test_rows_without_demand_are_holes() -> None:
    holed = TABLE.copy()
    holed.loc[5000:5001, "demand_mwh"] = np.nan
    assert len(served().history(holed)) == len(HISTORY)
    holed.loc[len(holed) - 480 :, "demand_mwh"] = np.nan
    assert len(served().history(holed)) == len(HISTORY) - 10


def test_only_a_model_that_reads_weather_forecasts_takes_coming_temperatures_for_one() -> None:
    warm = weathered(200, slots=24)
    table = readings_of(warm)
    table.loc[len(table) - 14 * 24 :, "demand_mwh"] = np.nan
    known = served(warm)
    assert known.history(table).outlooks_c == {}
    forecaster = make_forecaster("weather_paths", replace(LAYOUT, information=Information.F))
    known.model = FittedModel.raw("weather_paths", forecaster)
    ((position, outlook),) = known.history(table).outlooks_c.items()
    assert position == 186
    assert warm.temperature_c is not None
    np.testing.assert_allclose(outlook, warm.temperature_c[186:])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.drop(columns="demand_mwh"), "column demand_mwh is missing"),
        (lambda table: table.drop(columns="interval_start"), "column interval_start is missing"),
        (lambda table: table.assign(interval_start="noon"), "a value cannot be read"),
        (lambda table: table.assign(demand_mwh="much"), "a value cannot be read"),
        (lambda table: table.assign(demand_mwh=np.nan), "no row has demand_mwh"),
        (lambda table: table.assign(demand_mwh=np.inf), "has no finite demand_mwh"),
        (lambda table: pd.concat([table, table.tail(1)]), "is there twice"),
        (lambda table: table.assign(interval_start=table["interval_start"].str.replace(":30:", ":31:")), "is not on the grid"),
        (lambda table: table.tail(48 * 10), "10 consecutive days"),
        (lambda table: table.drop(index=range(len(table) - 48 * 9, len(table) - 48)), "8 of the newest with holes"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_forecast_from_is_refused_with_a_remedy(change: object, told: str) -> None:
    assert callable(change)
    with pytest.raises(HistoryError, match=f"({told}).*; "):
        served().predict(change(TABLE))


def test_a_folder_without_its_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no weights\.safetensors"):
        Served.load(tmp_path)
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(WeightsError, match=r"has no card\.json"):
        Served.load(tmp_path)
