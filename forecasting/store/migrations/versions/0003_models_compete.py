"""Several models a retrain, of which one stands for election; a log of who was champion, and why."""

from forecasting.store.migrations import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql("0003_models_compete.sql")
