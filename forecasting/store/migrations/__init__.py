"""Schema migrations, run by Alembic: one plain SQL file each, in a transaction of its own, under one lock.

They run on a live database, and an older fortnight may go on beside them or come back after them. So, expand first, contract later:

- A release only adds: tables, nullable columns or such with a default, views, functions, new versions of published views
  (`forecast_latest_v2`). What the code of before reads and writes stays, and goes on meaning the same.
- What nothing needs any more is dropped one release later at the earliest, in a migration that does nothing else.
- Each migration states `oldest_code`: the newest migration that the oldest code knows which still works after it. One that only
  adds repeats the number of the one before; one that drops or changes something names the first whose code does without it.
  Without a statement it is its own number, and there is no way back but a backup. The largest of all stands in
  `fortnight.schema_floor` (from 0009 on; code of before then refuses whatever is newer).
- A lock is waited for only shortly (`forecasting.store.upgrading`), since everybody else waits behind it; then the migration is
  rolled back and tried again. So take the strongest locks first, and few of them; move much data in steps, each a migration.
- An index on a large table is made by `CREATE INDEX CONCURRENTLY`, within `op.get_context().autocommit_block()`, in a migration of
  its own, after `DROP INDEX CONCURRENTLY IF EXISTS`: what a failed try leaves is an invalid index of that name.
- A migration that ran anywhere is never changed. `tests/store/test_upgrade.py` gets typical rows of the new revision.
"""

from importlib import resources

from alembic import op


def run_sql(file: str) -> None:
    """Execute a migration's SQL file, which may hold many statements, on the migration's own connection."""
    sql = resources.files(__name__).joinpath("versions", file).read_text()
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(sql)
