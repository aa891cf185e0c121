"""The contract: versioned views and functions for consumers, every column described."""

from forecasting.store.migrations import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql("0005_published.sql")
