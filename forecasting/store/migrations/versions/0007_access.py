"""Who may do what: an owner, a writer and a reader; and what is kept of old forecasts."""

from forecasting.store.migrations import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql("0007_retention.sql")
    run_sql("0007_roles.sql")
    run_sql("0007_access.sql")
