"""Every run of the jobs and its steps, so that the dead are known and nothing due is forgotten."""

from forecasting.store.migrations import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql("0008_runs.sql")
