"""Schema migrations, run by Alembic: one plain SQL file each, in a transaction of its own, under one lock."""

from importlib import resources

from alembic import op


def run_sql(file: str) -> None:
    """Execute a migration's SQL file, which may hold many statements, on the migration's own connection."""
    sql = resources.files(__name__).joinpath("versions", file).read_text()
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(sql)
