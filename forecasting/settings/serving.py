"""Settings of `fortnight serve`: what listens where, when the day begins, who may look."""

from datetime import time
from ipaddress import ip_address
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator

from forecasting.errors import SettingsError
from forecasting.settings.section import Section

Port = Annotated[int, Field(ge=1, le=65535)]
LOCAL = "localhost"


class ServeSettings(Section):
    """Passwords, and addresses that hold some, come from the environment or from secret files only."""

    host: str = "127.0.0.1"
    """The address to listen on. Beyond loopback a password is needed."""
    page_port: Port = 4300
    mlflow_port: Port = 5000
    prefect_port: Port = 4200
    at: tuple[time, ...] = (time(6),)
    """When the daily run is due, on the clock of each series' own time zone; several times a day where data come late."""
    grace_minutes: Annotated[float, Field(gt=0)] = 30
    """A run so much overdue is begun by the caretaker, without Prefect."""
    user: str = "fortnight"
    password: SecretStr | None = None
    """Of `user`, for the page, MLflow and Prefect."""
    heartbeat_url: SecretStr | None = None
    """Asked while every series has its forecast of the day: who misses it, such as healthchecks.io, raises alarm."""
    heartbeat_minutes: Annotated[float, Field(gt=0)] = 5
    prefect_url: str | None = None
    """A Prefect server of yours, such as http://prefect:4200/api; without it, the one that is served here."""
    prefect_ui_url: str | None = None
    """Where people open it, for links; without it, its address here."""
    prefect_database_url: SecretStr | None = None
    """Where the Prefect server keeps its runs, as postgresql+asyncpg://...; without it, SQLite in the state folder."""
    mlflow_database_url: SecretStr | None = None
    """Where the MLflow server keeps its runs, as postgresql+psycopg://...; without it, SQLite in the state folder."""
    mlflow_hosts: tuple[str, ...] = ()
    """Names by which MLflow is asked beyond loopback, such as mlflow.example.org; it refuses others."""

    @field_validator("host")
    @classmethod
    def is_an_address(cls, value: str) -> str:
        try:
            return value if value == LOCAL else str(ip_address(value))
        except ValueError:
            raise ValueError(f"{value!r} is no address; write one such as 127.0.0.1 or 0.0.0.0") from None

    @property
    def is_local(self) -> bool:
        """Whether it is reached from this machine only."""
        return self.host == LOCAL or ip_address(self.host).is_loopback

    def require_password(self) -> None:
        """Before anything listens.

        Raises:
            SettingsError: it could be reached from other machines, and nobody would have to log in.
        """
        if not self.is_local and self.password is None:
            raise SettingsError(
                f"host {self.host} can be reached from other machines", "set FORTNIGHT_SERVE__PASSWORD, or listen on 127.0.0.1"
            )

    @model_validator(mode="after")
    def makes_sense(self) -> "ServeSettings":
        if self.password is not None and len(self.password.get_secret_value()) < LEAST_PASSWORD:
            raise ValueError(f"the password has fewer than {LEAST_PASSWORD} characters")
        if ":" in self.user or not self.user:
            raise ValueError(f"user {self.user!r} cannot log in; leave out the colon")
        if len({self.page_port, self.mlflow_port, self.prefect_port}) < 3:
            raise ValueError("page_port, mlflow_port and prefect_port must differ")
        if not self.at:
            raise ValueError("at holds no time; give one such as 06:00")
        return self


LEAST_PASSWORD = 12
"""MLflow asks for as many."""
