"""Series, versioned readings, model versions, forecasts, alerts, and the first published views."""

from forecasting.store.migrations import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql("0001_first.sql")
