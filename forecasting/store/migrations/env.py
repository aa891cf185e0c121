"""Alembic's entry: uses the connection that `forecasting.store.upgrading` put into the configuration, and tells what was done."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script

connection = context.config.attributes["connection"]


def applied(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:  # noqa: ARG001
    """In the transaction of the migration: note the oldest code that still works after it."""
    script = step.up_revision
    assert isinstance(script, Script)
    server = connection.connection.driver_connection
    if server.execute("SELECT to_regclass('fortnight.schema_floor') IS NOT NULL").fetchone()[0]:
        oldest = getattr(script.module, "oldest_code", script.revision)
        server.execute("UPDATE fortnight.schema_floor SET oldest_code = greatest(oldest_code, %s)", (oldest,))
    context.config.attributes["applied"](script.revision, script.doc)


context.configure(
    connection=connection,
    version_table="schema_version",
    version_table_schema="public",
    transaction_per_migration=True,
    on_version_apply=applied,
)
with context.begin_transaction():
    context.run_migrations()
