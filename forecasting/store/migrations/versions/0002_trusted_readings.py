"""Forecasts among the readings, gaps, corrections, backfills, refusals, and a faster way to what was known when."""

from forecasting.store.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql("0002_trusted_readings.sql")
