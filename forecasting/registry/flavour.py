"""A model version as an MLflow model: its signature, an example, and how MLflow loads it to serve it.

No code and no pickle lies in a version: MLflow is told to load it with this module of the installed package.
"""

import json
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import pandas as pd
from mlflow import pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

from forecasting.artefact import CARD, WEIGHTS, Artefact
from forecasting.domain import LEVELS
from forecasting.errors import FortnightError
from forecasting.predicting import column
from forecasting.serving import DEMAND, START, TEMPERATURE, Served

EXAMPLE, REQUEST, REQUIREMENTS, ENVIRONMENT = (
    "input_example.json",
    "serving_input_example.json",
    "requirements.txt",
    "python_env.yaml",
)
ANY = AnyType()  # type: ignore[no-untyped-call]
SIGNATURE = ModelSignature(
    Schema(
        [
            ColSpec(ANY, START),  # MLflow refuses a datetime with an offset
            ColSpec(DataType.double, DEMAND),
            ColSpec(DataType.double, TEMPERATURE, required=False),
        ]
    ),
    Schema(
        [
            ColSpec(DataType.long, "lead"),
            ColSpec(DataType.datetime, "target_start"),
            ColSpec(DataType.datetime, "target_end"),
            *(ColSpec(DataType.double, name) for name in ("mean", *(column(level) for level in LEVELS))),
        ]
    ),
)


def write(folder: Path, run_id: str, place: str, artefact: Artefact, example: pd.DataFrame) -> None:
    """Lay a version out in a folder: the two files, and beside them what MLflow shows and serves by.

    Args:
        place: the folder's path among the artefacts of the run.
        example: readings that the model can forecast from.
    """
    (folder / WEIGHTS).write_bytes(artefact.weights)
    (folder / CARD).write_bytes(artefact.card)
    rows = example.astype(object).where(example.notna(), None).to_numpy().tolist()
    table = json.dumps({"columns": list(example.columns), "data": rows})
    (folder / EXAMPLE).write_text(table)
    (folder / REQUEST).write_text(f'{{"dataframe_split": {table}}}')
    (folder / REQUIREMENTS).write_text("".join(f"{name}=={version(name)}\n" for name in ("fortnight", "mlflow")))
    (folder / ENVIRONMENT).write_text(json.dumps({"python": python_version(), "dependencies": [f"-r {REQUIREMENTS}"]}))
    shown = {"artifact_path": EXAMPLE, "serving_input_path": REQUEST, "type": "dataframe", "pandas_orient": "split"}
    model = Model(artifact_path=place, run_id=run_id, signature=SIGNATURE, saved_input_example_info=shown)
    pyfunc.add_to_model(model, loader_module=__name__, python_env=ENVIRONMENT)
    model.save(folder / "MLmodel")


class Answering:
    """What MLflow calls; a mistake in a table is told to whoever sent it."""

    def __init__(self, served: Served) -> None:
        self.served = served

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        try:
            return self.served.predict(model_input)
        except FortnightError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error


def _load_pyfunc(path: str) -> Answering:
    return Answering(Served.load(Path(path)))
