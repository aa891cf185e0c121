"""Settings from a TOML file and the environment, checked once and then frozen. Every default lives here or on the option it sets.

The file is `fortnight.toml` in the state folder, or wherever FORTNIGHT_CONFIG points. Environment variables go before the file:
FORTNIGHT_HOME, FORTNIGHT_DATABASE_URL, FORTNIGHT_MLFLOW_TRACKING_URI, and FORTNIGHT_TRAINING__EPOCHS for `epochs` in `[training]`.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as MalformedVariable

from forecasting.errors import SettingsError
from forecasting.plain import LONGEST_NAME, require_plain
from forecasting.settings.alerts import AlertSettings, ChannelSettings
from forecasting.settings.file import CHECKOUT, FileSource, config_file, default_home
from forecasting.settings.secret_files import adopt_secret_files
from forecasting.settings.section import Section
from forecasting.settings.serving import ServeSettings
from forecasting.settings.watching import (
    BandSettings,
    DriftSettings,
    FeedSettings,
    InputSettings,
    ScanSettings,
    ShiftSettings,
)

__all__ = [
    "CHECKOUT", "SIMULATED", "VICTORIA", "AlertSettings", "BandSettings", "ChannelSettings", "DriftSettings", "FeedSettings",
    "IngestSettings", "InputSettings", "ModelSettings", "PublishSettings", "ScanSettings", "SeriesSettings", "ServeSettings",
    "Settings", "ShiftSettings", "TrainingSettings", "WeatherSettings", "WebSettings", "default_home", "load_settings",
]  # fmt: skip


class WeatherSettings(Section):
    """Where the temperature beside a demand series comes from, where not from the demand's own source."""

    source: str
    interval_minutes: Annotated[int, Field(gt=0, le=1440)] = 60
    publication_delay_minutes: Annotated[int, Field(ge=0)] = 0
    options: dict[str, Any] = Field(default_factory=dict)


class SeriesSettings(Section):
    """One demand series and where its readings come from. `options` are the source's own."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    name: str
    region: str
    time_zone: str
    interval_minutes: Annotated[int, Field(gt=0, le=1440)] = 30
    publication_delay_minutes: Annotated[int, Field(ge=0)] = 0
    may_be_negative: bool = False
    """Where rooftop solar can exceed demand; elsewhere a negative reading is refused."""
    source: str
    options: dict[str, Any] = Field(default_factory=dict)
    weather: WeatherSettings | None = None

    @field_validator("name", "region")
    @classmethod
    def can_be_shown(cls, value: str, about: ValidationInfo) -> str:
        try:
            return require_plain(value, f"the {about.field_name}", LONGEST_NAME)
        except SettingsError as error:
            raise ValueError(error.problem) from None

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone such as Australia/Melbourne") from None
        return value

    @field_validator("interval_minutes")
    @classmethod
    def divides_a_day(cls, value: int) -> int:
        if 1440 % value:
            raise ValueError(f"{value} minutes do not divide a day")
        return value


class IngestSettings(Section):
    """What each ingest asks its source for."""

    history_days: Annotated[int, Field(gt=0)] = 1096
    """How far a first ingest reaches back."""
    lookback_days: Annotated[int, Field(ge=0)] = 7
    """How many days every later ingest reads again, for corrections and late readings."""
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """A batch with a larger share of bad rows is refused whole."""
    gap_days: Annotated[int, Field(ge=0)] = 60
    """How long a gap between readings is asked for again."""
    stale_hours: Annotated[float, Field(gt=0)] = 36
    """Readings or forecasts older than this, beyond their declared delay, are reported as stale."""


class WebSettings(Section):
    """How feeds are asked over HTTP."""

    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """For a connection, and for each pause within an answer."""
    total_s: Annotated[float, Field(gt=0)] = 300.0
    """For one whole answer."""
    tries: Annotated[int, Field(ge=1)] = 5
    backoff_s: Annotated[float, Field(ge=0)] = 1.0
    """Pause before the second retry; doubles with each."""
    max_wait_s: Annotated[float, Field(ge=0)] = 120.0
    """A feed that asks for a longer pause (Retry-After) is given up for this run."""
    redirect_hosts: tuple[str, ...] = ()
    """Hosts that a feed may lead on to; without them it may do so only within its own host."""
    private_hosts: tuple[str, ...] = ()
    """Names of feeds that lie in this network. A feed named by its address, or as localhost, needs no leave."""


class ModelSettings(Section):
    """The families that compete in each retrain, and how they are made; see `forecasting.models.MODELS`."""

    candidates: tuple[str, ...] = (
        "weekly_naive",
        "same_weekday_mean",
        "two_stage_ridge",
        "seq2seq_attention",
        "weather_paths",
    )
    information: Literal["U", "P", "F"] = "P"
    """What the candidates may know of the weather: nothing, the past, or the stored weather forecasts too."""
    cell: Literal["gru", "lstm"] = "gru"
    attention: Literal["additive", "multiplicative"] = "additive"
    linear_path: bool = True
    """Recurrent families work on what a regression on the calendar leaves, and add to what the last days carry forward."""
    loss: Literal["pinball", "mse"] = "pinball"
    """What the recurrent families minimise; with "mse" they write a point, with bands from its training errors."""
    hidden: Annotated[int, Field(gt=0)] = 16
    seeds: Annotated[int, Field(gt=0)] = 5
    """Networks of different beginnings whose quantiles a recurrent family averages."""
    step: Literal["day", "interval"] = "day"
    """At half-hours, recurrent families walk over days, reading and writing all slots of each, or over the half-hours."""
    mlp_hidden: Annotated[int, Field(gt=0)] = 512
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    temperature: bool = False
    """Temperature among the inputs of the recurrent families."""
    past_days: Annotated[int, Field(ge=7)] = 14
    horizon_days: Annotated[int, Field(ge=1, le=14)] = 14

    @field_validator("candidates")
    @classmethod
    def holds_the_yardstick(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "weekly_naive" not in value:
            raise ValueError("weekly_naive must be among the candidates: every loss is told as skill against it")
        if doubled := {name for name in value if value.count(name) > 1}:
            raise ValueError(f"{sorted(doubled)[0]} is given twice")
        return value


class TrainingSettings(Section):
    """How the candidate is fitted (`forecasting.training`), and how many days are held out to judge it."""

    epochs: Annotated[int, Field(gt=0)] = 16
    batch_size: Annotated[int, Field(gt=0)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 2e-2
    weight_decay: Annotated[float, Field(ge=0)] = 2.0
    learning_rate_schedule: Literal["one_cycle", "constant"] = "one_cycle"
    forcing: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Chance that a network which is fed its own last step is fed the true one instead."""
    forcing_schedule: Literal["linear", "constant"] = "linear"
    """Falling to nothing half way through the training, or the same throughout."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    max_windows: Annotated[int, Field(gt=0)] = 4096
    """An epoch draws at most so many windows."""
    seed: int = 20140101
    validation_days: Annotated[int, Field(ge=14)] = 56
    every_days: Annotated[int, Field(ge=1)] = 1
    """The daily run retrains when the last retrain is so many days old; 'fortnight retrain' always does."""


class PublishSettings(Section):
    """What is kept of what is published, and for how long it may be read at a stretch."""

    keep_paths_of: Annotated[int, Field(ge=0)] = 1
    """How many newest issues of a series keep their sample paths."""
    reader_minutes: Annotated[float, Field(gt=0)] = 10
    """A watch ends the sessions of readers whose statement or transaction is older."""


VICTORIA = SeriesSettings(
    id="vic", name="Victoria, operational demand", region="AU-VIC", time_zone="Australia/Melbourne", source="csv"
)
SIMULATED = SeriesSettings(
    id="simulated", name="Simulated demand", region="AU-VIC", time_zone="Australia/Melbourne", source="simulated"
)


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="FORTNIGHT_",
        env_ignore_empty=True,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Annotated[Path, Field(default_factory=default_home)]
    database_url: SecretStr | None = None
    mlflow_tracking_uri: SecretStr | None = None
    mlflow_ui_url: str | None = None
    """Where people open MLflow, for links in alerts; without it, that of a tracking server."""
    git_sha: str | None = None
    series: tuple[SeriesSettings, ...] = (SIMULATED, VICTORIA)
    ingest: IngestSettings = IngestSettings()
    web: WebSettings = WebSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    publish: PublishSettings = PublishSettings()
    drift: DriftSettings = DriftSettings()
    alerts: AlertSettings = AlertSettings()
    serve: ServeSettings = ServeSettings()
    log_format: Literal["human", "json"] = "human"
    """Of what commands tell on standard error."""

    @field_validator("home")
    @classmethod
    def absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("mlflow_ui_url")
    @classmethod
    def can_be_opened(cls, value: str | None) -> str | None:
        """Messages and pages link to it."""
        if value is not None and not re.fullmatch(r"https?://[!-~]+", value):
            raise ValueError("it must begin with http:// or https:// and hold no blanks")
        return value

    @model_validator(mode="after")
    def distinct_series(self) -> "Settings":
        ids = [series.id for series in self.series]
        if doubled := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"series id {sorted(doubled)[0]!r} is given twice")
        return self

    @property
    def describes_series(self) -> bool:
        """Whether there are series of the user's own."""
        return self.series != (SIMULATED, VICTORIA)

    @property
    def known_series(self) -> tuple[SeriesSettings, ...]:
        """The series of the settings, and the built-in ones whose ids they do not use."""
        taken = {given.id for given in self.series}
        return self.series + tuple(given for given in (SIMULATED, VICTORIA) if given.id not in taken)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls, toml_file=config_file())

    @property
    def prefect_environment(self) -> dict[str, str]:
        """Environment of Prefect: its state in ours, no reports to anybody, time for a cold start, our log in its runs."""
        as_json = {
            "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "forecasting.json_lines.JsonLines",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
            "PREFECT_LOGGING_COLORS": "false",
        }
        return {
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
            "PREFECT_LOGGING_EXTRA_LOGGERS": "forecasting",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # the same jobs also run outside of flows
            **(as_json if self.log_format == "json" else {}),
        }


OUTSIDE = {"config", "secrets", "new_password", "started_by", "served"}
"""Variables of ours that are no settings."""


def load_settings(**overrides: Any) -> Settings:
    """Read file and environment; `overrides` go before both.

    Raises:
        SettingsError: an unknown key, a value out of range, a config file that is missing or not TOML.
    """
    adopt_secret_files()
    given = os.environ.get("FORTNIGHT_CONFIG")
    if given and not config_file().is_file():
        raise SettingsError(f"FORTNIGHT_CONFIG names {given}, which is no file", "correct the path or unset it")
    for variable in os.environ:
        name = variable.lower().removeprefix("fortnight_").split("__")[0]
        if variable.lower().startswith("fortnight_") and name not in OUTSIDE | set(Settings.model_fields):
            known = ", ".join(f"FORTNIGHT_{field.upper()}" for field in sorted(OUTSIDE | set(Settings.model_fields)))
            raise SettingsError(f"unknown environment variable {variable}", f"unset it, or use one of {known}")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "settings"
        told = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"setting {key}: {told}", f"correct it in {config_file()} or the environment") from None
    except MalformedVariable as error:
        raise SettingsError(f"{error}", "write it as JSON") from None
    except ValueError as error:
        raise SettingsError(f"{config_file()}: {error}", "correct the TOML") from None
