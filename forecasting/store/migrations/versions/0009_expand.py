"""Which code may still work with a schema that is newer than itself; and what a restore must settle anew."""

from forecasting.store.migrations import run_sql

revision = "0009"
down_revision = "0008"
oldest_code = "0009"


def upgrade() -> None:
    run_sql("0009_expand.sql")
