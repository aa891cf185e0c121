"""Registered model versions: their digests, their validation losses, and who is champion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg.rows import class_row, dict_row

from forecasting.domain import Information, Resolution
from forecasting.store.database import Connection, statement

FILES_KEPT = 3
"""Champions of a series whose files are kept in Postgres."""
PromotionKind = Literal["elected", "by hand", "rollback"]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A model that a retrain registered in MLflow. The `contender` of a retrain stood against the champion; `reason` is what the
    election said of it. The bounds of the history are unknown only for those of old."""

    series_key: int
    resolution: Resolution
    retrain_key: str
    as_of: datetime
    model_name: str
    version: int
    family: str
    information: Information
    mlflow_run_id: str
    weights_sha256: str
    card_sha256: str
    history_sha256: str
    history_start: datetime | None
    history_end: datetime | None
    git_sha: str
    contender: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ModelVersion(NewVersion):
    """A stored version. `alias_settled_at` is empty until the MLflow alias followed the election."""

    model_version_key: int
    alias_settled_at: datetime | None
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Scores of one forecaster on the validation windows of one retrain: `candidate` is its contender, `champion` the one that
    reigned before it, the others are named by family. MAPE and MASE may be nan, which is stored as null."""

    forecaster: str
    version: int | None
    first_target: date
    last_target: date
    windows: int
    pinball_mwh: float
    newest_week_pinball_mwh: float
    mape_percent: float
    mase: float
    coverage_80: float


@dataclass(frozen=True, slots=True)
class ValidationLoss:
    """Validation loss over the newest week, of the model in charge after a retrain and of weekly naive (MWh)."""

    as_of: datetime
    model_mwh: float
    weekly_naive_mwh: float
    model_name: str
    version: int


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version as a modeller looks at it: scores on the validation windows of its retrain, None of versions of old; `promoted` is
    how it last became champion."""

    version: int
    family: str
    information: str
    as_of: datetime
    contender: bool
    pinball_mwh: float | None
    mape_percent: float | None
    coverage_80: float | None
    promoted: str | None


class Versions:
    """Rows of `model_version` and `validation_score`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def add(self, versions: Sequence[NewVersion], scores: Iterable[ScoreRow], elected: str | None) -> ModelVersion:
        """Record the versions of one retrain with its scores, in one transaction.

        Args:
            versions: of which one is the contender.
            scores: they belong to the contender.
            elected: why the contender becomes champion; None if it does not.

        Returns:
            the contender.
        """
        with self.connection.transaction(), self.connection.cursor() as cursor:
            for version in versions:
                row = cursor.execute(statement("add_model_version"), asdict(version)).fetchone()
                assert row is not None
                if version.contender:
                    contender, key = version, row[0]
            for score in scores:
                cursor.execute(statement("add_validation_score"), {**asdict(score), "model_version_key": key})
            if elected is not None:
                self._promote(key, "elected", contender.as_of, elected)
        stored = self.by_retrain_key(contender.retrain_key)
        assert stored is not None
        return stored

    def promote(self, version: ModelVersion, kind: PromotionKind, as_of: datetime, reason: str) -> None:
        """Note that a version is champion from `as_of` on."""
        self._promote(version.model_version_key, kind, as_of, reason)

    def _promote(self, model_version_key: object, kind: PromotionKind, as_of: datetime, reason: str) -> None:
        parameters = {"model_version_key": model_version_key, "kind": kind, "as_of": as_of, "reason": reason}
        self.connection.execute(statement("add_promotion"), parameters)

    def by_retrain_key(self, retrain_key: str) -> ModelVersion | None:
        return self._one("model_version_by_retrain_key", {"retrain_key": retrain_key})

    def by_number(self, model_name: str, version: int) -> ModelVersion | None:
        return self._one("model_version_by_number", {"model_name": model_name, "version": version})

    def champion(self, series_key: int, resolution: Resolution, as_of: datetime) -> ModelVersion | None:
        """The version that was champion at `as_of`; None before the first promotion."""
        return self._one("champion_as_of", {"series_key": series_key, "resolution": resolution, "as_of": as_of})

    def reigning(self) -> dict[str, int]:
        """The number of the version promoted last, by the model's name."""
        return {str(name): int(version) for name, version in self.connection.execute(statement("reigning")).fetchall()}  # type: ignore[call-overload]

    def champion_before(self, version: ModelVersion, as_of: datetime) -> ModelVersion | None:
        """Who was champion before this one became it; None if nobody was."""
        parameters = {
            "series_key": version.series_key,
            "resolution": version.resolution,
            "model_version_key": version.model_version_key,
            "as_of": as_of,
        }
        return self._one("champion_before", parameters)

    def model_names(self) -> list[str]:
        """Names of all models that have versions."""
        return [str(row[0]) for row in self.connection.execute("SELECT DISTINCT model_name FROM fortnight.model_version")]

    def by_key(self, model_version_key: int) -> ModelVersion | None:
        return self._one("model_version_by_key", {"model_version_key": model_version_key})

    def champions(self, series_key: int, resolution: Resolution, as_of: datetime, limit: int) -> list[ModelVersion]:
        """Who was champion up to `as_of`, newest first."""
        parameters = {"series_key": series_key, "resolution": resolution, "as_of": as_of, "limit": limit}
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return [_version(row) for row in cursor.execute(statement("champions_of_before"), parameters)]

    def last_retrain(self, series_key: int, resolution: Resolution, as_of: datetime) -> datetime | None:
        """The as-of time of the newest retrain by then; None before the first."""
        parameters = {"series_key": series_key, "resolution": resolution, "as_of": as_of}
        row = self.connection.execute(statement("last_retrain"), parameters).fetchone()
        return row[0] if row else None  # type: ignore[return-value]

    def predecessor(self, version: ModelVersion, as_of: datetime) -> ModelVersion | None:
        """The newest version of the same family that was trained by `as_of`."""
        parameters = {
            "series_key": version.series_key,
            "resolution": version.resolution,
            "family": version.family,
            "as_of": as_of,
        }
        return self._one("predecessor", parameters)

    def keep_files(self, version: ModelVersion, weights: bytes, card: bytes) -> None:
        """Keep a champion's files for when MLflow is down, beside those of the few before it."""
        parameters = {
            "model_version_key": version.model_version_key,
            "series_key": version.series_key,
            "weights": weights,
            "card": card,
            "others": FILES_KEPT - 1,
        }
        self.connection.execute(statement("keep_model_file"), parameters)

    def files(self, version: ModelVersion) -> tuple[bytes, bytes] | None:
        """Kept weights and card; None where they are not."""
        query = "SELECT weights, card FROM fortnight.model_file WHERE model_version_key = %s"
        row = self.connection.execute(query, (version.model_version_key,)).fetchone()
        if row is None:
            return None
        weights, card = row
        assert isinstance(weights, bytes)
        assert isinstance(card, bytes)
        return weights, card

    def settle_alias(self, version: ModelVersion) -> None:
        """Note that the MLflow alias has followed this election."""
        self.connection.execute(
            "UPDATE fortnight.model_version SET alias_settled_at = now() WHERE model_version_key = %s AND alias_settled_at IS NULL",
            (version.model_version_key,),
        )

    def validation_losses(self, series_key: int, resolution: Resolution, as_of: datetime) -> list[ValidationLoss]:
        """One loss a day on which there was a retrain, up to `as_of`, oldest first."""
        parameters = {"series_key": series_key, "resolution": resolution, "as_of": as_of}
        with self.connection.cursor(row_factory=class_row(ValidationLoss)) as cursor:
            return cursor.execute(statement("validation_losses"), parameters).fetchall()

    def listed(self, series_key: int, as_of: datetime, limit: int) -> list[ListedVersion]:
        """The newest versions of a series, newest first."""
        parameters = {"series_key": series_key, "as_of": as_of, "limit": limit}
        with self.connection.cursor(row_factory=class_row(ListedVersion)) as cursor:
            return cursor.execute(statement("listed_versions"), parameters).fetchall()

    def _one(self, name: str, parameters: Mapping[str, Any]) -> ModelVersion | None:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(statement(name), parameters).fetchone()
        return None if row is None else _version(row)


def _version(row: dict[str, Any]) -> ModelVersion:
    return ModelVersion(**{**row, "information": Information(row["information"])})
