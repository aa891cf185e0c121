"""What a page shows beyond forecasts: who was champion when, how retrains scored, what predecessors said."""

from forecasting.store.migrations import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql("0009_page.sql")
