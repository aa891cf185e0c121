"""Settings of alerts. Addresses of channels are secrets, which come from the environment only."""

import os
import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from forecasting.domain import Severity
from forecasting.errors import SettingsError
from forecasting.settings.section import Section


class ChannelSettings(Section):
    """Where alerts are sent: an apprise URL such as mailto://, slack:// or json://. It holds secrets, so only the environment gives
    it: in the variable that `url_env` names, or in FORTNIGHT_ALERTS__CHANNELS__NAME__URL."""

    url: SecretStr | None = None
    url_env: Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = None
    takes: tuple[Severity, ...] = ("page", "digest")
    escalations: bool = True
    """It also gets pages that nobody acknowledged in time; with `takes = []` it gets nothing else."""

    @model_validator(mode="before")
    @classmethod
    def is_no_bare_address(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError("rename the variable to FORTNIGHT_ALERTS__CHANNELS__NAME__URL")  # noqa: TRY004 - pydantic's own way
        return value

    @model_validator(mode="after")
    def has_one_address(self) -> "ChannelSettings":
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url_env, the name of a variable, or the variable FORTNIGHT_ALERTS__CHANNELS__NAME__URL")
        return self

    def address(self) -> SecretStr:
        """The URL.

        Raises:
            SettingsError: the variable that should hold it is not set.
        """
        if self.url is not None:
            return self.url
        given = os.environ.get(self.url_env or "")
        if not given:
            raise SettingsError(f"{self.url_env} is not set", "let it hold the channel's apprise URL, or correct url_env")
        return SecretStr(given)


class AlertSettings(Section):
    """What becomes of alerts; their rules are in `forecasting.rules`."""

    on_drift: Literal["alert", "retrain", "rollback"] = "alert"
    """Beyond telling people of a drift."""
    cool_down_days: Annotated[float, Field(ge=0)] = 3
    """What comes again so soon after its end goes on as the same alert, without another page."""
    escalate_after_hours: Annotated[float, Field(gt=0)] = 24
    """A page that nobody acknowledged for so long is sent once more."""
    tries: Annotated[int, Field(ge=1)] = 10
    """How often a message is tried before it is given up."""
    backoff_minutes: Annotated[float, Field(gt=0)] = 1
    """Pause before the second try; doubles with each, up to six hours."""
    channels: dict[str, ChannelSettings] = Field(default_factory=dict)
    """Beside the log, which gets everything."""
    muted: bool = False
    """As if there were no channels: for replays and drills."""

    @property
    def open_channels(self) -> dict[str, ChannelSettings]:
        return {} if self.muted else self.channels

    @field_validator("channels")
    @classmethod
    def can_be_named(cls, value: dict[str, ChannelSettings]) -> dict[str, ChannelSettings]:
        for name in value:
            if name == "log" or not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
                raise ValueError(f"{name!r} cannot be a channel: use another name of lower-case letters, digits and _")
        return value
