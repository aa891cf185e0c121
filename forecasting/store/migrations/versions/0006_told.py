"""What people were last told of an alert, and which watch last judged it."""

from forecasting.store.migrations import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql("0006_told.sql")
