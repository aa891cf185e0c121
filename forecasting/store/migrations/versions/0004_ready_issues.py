"""Issues by month that prove themselves ready, and what they rest on; alerts that have a life."""

from forecasting.store.migrations import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql("0004_ready_issues.sql")
