-- Whether anybody waits for a lock on a table.
SELECT EXISTS (SELECT FROM pg_locks WHERE relation = to_regclass(%(name)s) AND NOT granted)
