"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Checked once and then frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
