"""Logins: who may read what is published, and who may run the service."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import psycopg
from psycopg import sql

from forecasting.errors import StoreError
from forecasting.store.database import Connection

Role = Literal["reader", "writer"]
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
LIMITS: dict[Role, dict[str, str]] = {
    "reader": {
        "statement_timeout": "60s",
        "idle_in_transaction_session_timeout": "60s",
        "lock_timeout": "5s",
        "default_transaction_read_only": "on",
        "search_path": "published",
    },
    "writer": {"lock_timeout": "30s"},  # a run holds its series in an idle transaction, for as long as training takes
}
"""What a login starts with. Anybody may SET something else: rights keep readers from writing, `end_long_readers` from staying."""
CONNECTIONS: dict[Role, int] = {"reader": 10, "writer": 50}


@dataclass(frozen=True, slots=True)
class LongReader:
    """A reader's session that ran past the limit. `ended` is False, and `seconds` may be None, where our rights did not suffice."""

    pid: int
    login: str
    seconds: float | None
    ended: bool


class Access:
    """Logins that are members of `fortnight_reader` or `fortnight_writer`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def grant(self, name: str, role: Role, password: str) -> bool:
        """Make a login of a role, or give an existing one this role and password. The server only ever gets the password's hash.

        Returns:
            whether it is new.

        Raises:
            StoreError: the name is none or taken by somebody else, or we may not make logins.
        """
        if not NAME.fullmatch(name) or name.startswith(("pg_", "fortnight_")):
            raise StoreError(
                f"a login cannot be named {name!r}", "use small letters, digits and _, without pg_ or fortnight_ at the front"
            )
        hashed = self.connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        try:
            with self.connection.transaction():
                is_new = not self._is_ours(name)
                self._set_up(name, role, hashed, is_new=is_new)
        except psycopg.errors.InsufficientPrivilege as error:
            raise _not_allowed(error) from None
        return is_new

    def revoke(self, name: str) -> bool:
        """End a login's sessions and drop it.

        Returns:
            False where it owns something in another database: it stays there, without rights here and unable to log in.

        Raises:
            StoreError: there is no such login of ours, or we may not drop it.
        """
        login = sql.Identifier(name)
        try:
            if not NAME.fullmatch(name) or not self._is_ours(name):
                raise StoreError(f"there is no login {name!r}", "see psql's \\du for those that there are")
            self.connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(login))
            self.connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", (name,))
            for group in ("fortnight_reader", "fortnight_writer"):
                self.connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), login))
            self.connection.execute(sql.SQL("DROP ROLE {}").format(login))
        except psycopg.errors.InsufficientPrivilege as error:
            raise _not_allowed(error) from None
        except psycopg.errors.DependentObjectsStillExist:
            return False
        return True

    def end_long_readers(self, limit: timedelta) -> list[LongReader]:
        """End sessions of readers whose statement or open transaction is older than `limit`, whatever they have SET."""
        rows = self.connection.execute("SELECT * FROM fortnight.end_long_readers(%s)", (limit,)).fetchall()
        return [LongReader(*row) for row in rows]  # type: ignore[arg-type]

    def _is_ours(self, name: str) -> bool:
        """Whether a login is a member of a group of ours; one that is not is left alone."""
        row = self.connection.execute(
            """
            SELECT NOT rolsuper
                   AND (pg_has_role(oid, 'fortnight_reader', 'MEMBER') OR pg_has_role(oid, 'fortnight_writer', 'MEMBER'))
                   AND NOT pg_has_role(oid, 'fortnight_owner', 'MEMBER')
            FROM pg_roles WHERE rolname = %s
            """,
            (name,),
        ).fetchone()
        if row is not None and not row[0]:
            raise StoreError(f"role {name!r} exists and is not fortnight's", "choose another name")
        return row is not None

    def _set_up(self, name: str, role: Role, hashed: str, *, is_new: bool) -> None:
        login = sql.Identifier(name)

        def do(command: str, *parts: sql.Composable) -> None:
            self.connection.execute(sql.SQL(command).format(*parts))

        do("CREATE ROLE {}" if is_new else "ALTER ROLE {} RESET ALL", login)
        do("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}", login, sql.Literal(CONNECTIONS[role]), sql.Literal(hashed))
        for setting, value in LIMITS[role].items():
            do("ALTER ROLE {} SET {} = {}", login, sql.Identifier(setting), sql.Literal(value))
        groups = {"reader": "fortnight_reader", "writer": "fortnight_writer"}
        for other, group in groups.items():
            do("GRANT {} TO {}" if other == role else "REVOKE {} FROM {}", sql.Identifier(group), login)
        # The owner may end the sessions of its members' kind: see fortnight.end_long_readers.
        do("GRANT {} TO fortnight_owner" if role == "reader" else "REVOKE {} FROM fortnight_owner", login)


def _not_allowed(error: psycopg.Error) -> StoreError:
    return StoreError(
        f"this user may not manage logins ({error.diag.message_primary})",
        "do it as the login that migrated the database, which has CREATEROLE",
    )
