"""What a model's card may say: its form, and bounds on every size, checked before anything is built by it."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from forecasting import calendar
from forecasting.domain import LEVELS, Information, Resolution, Series
from forecasting.errors import WeightsError
from forecasting.windows import Layout

FORMAT = 2
LONGEST_PAST_DAYS, LONGEST_HORIZON_DAYS = 3660, 366
LARGEST_OPTION = 10_000
"""No width, count or number of weeks of a family comes near it. A seed may be any number."""
LARGEST_CARD_BYTES = 2**22
Text = Annotated[str, Field(max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LayoutCard(_Part):
    resolution: Resolution
    per_day: Annotated[int, Field(ge=1, le=1440)]
    past_steps: Annotated[int, Field(ge=1)]
    horizon_steps: Annotated[int, Field(ge=1)]
    information: Information
    temperature: bool
    calendar: bool

    @model_validator(mode="after")
    def is_no_longer_than_models_are(self) -> "LayoutCard":
        if self.past_steps > LONGEST_PAST_DAYS * self.per_day or self.horizon_steps > LONGEST_HORIZON_DAYS * self.per_day:
            raise ValueError("it reads or writes more days than any model does")
        return self

    @property
    def layout(self) -> Layout:
        return Layout(**dict(self))


class SeriesCard(_Part):
    series_id: Text
    name: Text
    region: Text
    time_zone: Text
    interval_minutes: Annotated[int, Field(ge=1, le=1440)]
    source: Text
    simulated: bool

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        try:
            return ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("it is no IANA time zone") from None

    @property
    def series(self) -> Series:
        told = dict(self)
        return Series(interval=timedelta(minutes=told.pop("interval_minutes")), **told)


class Card(_Part):
    """Everything of a model that is not in its weights."""

    format: Literal[2]
    family: Text
    options: dict[Text, str | bool | int | Annotated[float, Field(allow_inf_nan=False)]]
    features: list[str]
    levels: list[float]
    layout: LayoutCard
    calibration: list[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]]
    series: SeriesCard | None = None
    """Cards of old do not tell."""
    provenance: dict[str, Any] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def has_bounds(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in value.items():
            if name != "seed" and isinstance(given, int | float) and not 0 <= given <= LARGEST_OPTION:
                raise ValueError(f"{name} is not between 0 and {LARGEST_OPTION:,}")
        return value

    @model_validator(mode="after")
    def calibrates_what_it_writes(self) -> "Card":
        days = -(-self.layout.horizon_steps // self.layout.per_day)
        if [len(row) for row in self.calibration] != [len(LEVELS)] * days:
            raise ValueError("calibration is not one factor a level and day")
        return self


class _Made(BaseModel):
    format: int
    features: list[str]
    levels: list[float]


def read_card(text: bytes, remedy: str) -> Card:
    """A card from its JSON.

    Raises:
        WeightsError: it was made for other features or quantiles than this code has, or is no card.
    """
    if len(text) > LARGEST_CARD_BYTES:
        raise WeightsError(f"the card has {len(text):,} bytes", remedy)
    try:
        made = _Made.model_validate_json(text)
        if (made.format, made.features, made.levels) != (FORMAT, list(calendar.FEATURES), list(LEVELS)):
            raise WeightsError("the model was made for other features or quantiles than this fortnight has", remedy)
        return Card.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:80] or "all of it"
        raise WeightsError(f"the card is not one of a model: {place}: {first['msg'][:200]}", remedy) from None
