"""What a page shows beyond forecasts: who was champion when, how retrains scored, what predecessors said."""

from forecasting.store.migrations import run_sql

revision = "0010"
down_revision = "0009"
oldest_code = "0009"


def upgrade() -> None:
    run_sql("0010_page.sql")
