"""What the service's login may do to each table, written down: whoever adds a table decides it here too."""

from collections import defaultdict

import pytest

from forecasting.store import Store

pytestmark = pytest.mark.one_server

GRANTS = """
    SELECT n.nspname || '.' || c.relname, p.privilege_type, NULL
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS p
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND p.grantee = %(role)s::regrole AND n.nspname IN ('fortnight', 'published', 'public')
    UNION ALL
    SELECT n.nspname || '.' || c.relname, p.privilege_type, a.attname
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0, aclexplode(a.attacl) AS p
    WHERE p.grantee = %(role)s::regrole AND n.nspname IN ('fortnight', 'published', 'public')
    ORDER BY 1, 2, 3
"""


def granted(store: Store, role: str) -> dict[str, str]:
    """By table, all but SELECT; columns in brackets where it is not the whole table."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for table, privilege, column in store.connection.execute(GRANTS, {"role": role}):
        found[str(table)][str(privilege)] += [] if column is None else [str(column)]
    return {
        table: " ".join(
            f"{privilege}({', '.join(columns)})" if columns else privilege
            for privilege, columns in sorted(privileges.items())
            if privilege != "SELECT"
        )
        for table, privileges in found.items()
    }


WRITER = {
    "fortnight.alert": "INSERT UPDATE",
    "fortnight.backfill": "DELETE INSERT UPDATE",
    "fortnight.correction": "INSERT",
    "fortnight.drift_action": "INSERT UPDATE",
    "fortnight.forecast_issue": "INSERT(age_days, feed_at_fault, git_sha, history_sha256, inputs_sha256, inputs_start, "
    "issued_at, leads, model_version_key, origin, plausible_max_mwh, plausible_min_mwh, previous_issue_id, readings_as_of, reason, "
    "recipe, resolution, series_key, tier, unit, weather_issued_at)",
    "fortnight.forecast_month": "",
    "fortnight.forecast_path": "DELETE INSERT",
    "fortnight.forecast_value": "INSERT",
    "fortnight.gap": "INSERT UPDATE(healed_by, last_asked_by, times_asked)",
    "fortnight.ingest_run": "INSERT UPDATE(missing, rows_corrected, rows_new, rows_quarantined)",
    "fortnight.issue_hold": "INSERT",
    "fortnight.issue_kept": "",
    "fortnight.model_file": "DELETE INSERT UPDATE",
    "fortnight.model_version": "INSERT UPDATE(alias_settled_at)",
    "fortnight.notification": "INSERT UPDATE",
    "fortnight.predecessor_value": "INSERT",
    "fortnight.promotion": "INSERT",
    "fortnight.quarantine": "INSERT UPDATE(released_by)",
    "fortnight.reading": "DELETE INSERT UPDATE(known_at)",
    "fortnight.run": "INSERT UPDATE",
    "fortnight.run_step": "INSERT UPDATE",
    "fortnight.schema_floor": "",
    "fortnight.series": "INSERT UPDATE(interval_length, name, publication_delay, region, source)",
    "fortnight.series_lock": "INSERT UPDATE",
    "fortnight.silence": "INSERT UPDATE",
    "fortnight.validation_score": "INSERT",
    "public.schema_version": "",
}
"""An empty string: it may be read."""


def test_a_writer_may_do_what_is_written_here_and_no_more(store: Store) -> None:
    found = granted(store, "fortnight_writer")
    assert {table: rights for table, rights in found.items() if rights or not table.startswith("published.")} == WRITER


def test_a_reader_may_read_what_is_published_and_no_more(store: Store) -> None:
    found = granted(store, "fortnight_reader")
    assert {table.partition(".")[0] for table in found} == {"published"}
    assert set(found.values()) == {""}


def test_everybody_may_nothing(store: Store) -> None:
    """PUBLIC, of whom every login is one."""
    query = "SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE grantee = 0 AND relnamespace::regnamespace::text = ANY (%s)"
    assert store.connection.execute(query, (["fortnight", "published", "public"],)).fetchone() == (0,)
