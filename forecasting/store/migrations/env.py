"""Alembic's entry: uses the connection that `forecasting.store.schema` put into the configuration."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, version_table="schema_version", version_table_schema="public", transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
