"""The settings file, and where it is."""

import os
from pathlib import Path
from typing import Any

from pydantic_settings import TomlConfigSettingsSource

from forecasting.errors import SettingsError

CHECKOUT = Path(__file__).resolve().parents[2]


def default_home() -> Path:
    """The state folder: FORTNIGHT_HOME, or `.fortnight` in the checkout, or in the current folder for an installed package."""
    if given := os.environ.get("FORTNIGHT_HOME"):
        return Path(given).expanduser().absolute()
    return (CHECKOUT if (CHECKOUT / "pyproject.toml").exists() else Path.cwd()) / ".fortnight"


def config_file() -> Path:
    given = os.environ.get("FORTNIGHT_CONFIG")
    return Path(given).expanduser() if given else default_home() / "fortnight.toml"


class FileSource(TomlConfigSettingsSource):
    """The TOML file, which is no place for secrets: it is copied, shared and committed."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        alerts = found.get("alerts")
        channels = alerts.get("channels") if isinstance(alerts, dict) else None
        for name, channel in channels.items() if isinstance(channels, dict) else ():
            if not isinstance(channel, dict) or "url" in channel:
                raise SettingsError(
                    f"{config_file()} holds the address of alert channel {name!r}, which is a secret",
                    f'put it into an environment variable and name that: [alerts.channels.{name}] url_env = "NAME"',
                )
        _without_secrets(found)
        return found


def _without_secrets(found: dict[str, Any]) -> None:
    served = found.get("serve")
    if not isinstance(served, dict):
        return
    for key in SERVE_SECRETS:
        if key in served:
            raise SettingsError(
                f"{config_file()} holds serve.{key}, which is a secret", f"put it into the variable FORTNIGHT_SERVE__{key.upper()}"
            )


SERVE_SECRETS = ("password", "heartbeat_url", "prefect_database_url", "mlflow_database_url")
