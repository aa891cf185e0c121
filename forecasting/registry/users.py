"""Who may ask the MLflow server that is served here."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from werkzeug.security import check_password_hash, generate_password_hash

from forecasting.errors import RegistryError

DATABASE = "mlflow_users.db"
FIRST = "SELECT id, username, password_hash FROM users ORDER BY id LIMIT 1"


def users_config(folder: Path, user: str, password: str) -> Path:
    """The settings file of MLflow's users, of whom ours is the first and may do all; others see what they are given.

    MLflow makes the first user once and never looks at the password again, so a changed one is put in place here: the old one
    counts no more.

    Raises:
        RegistryError: another user has that name.
    """
    database = folder / DATABASE
    if database.exists():
        _renew(database, user, password)
    path = folder / "mlflow_users.ini"
    path.write_text(f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{database}\n")
    return path


def _renew(database: Path, user: str, password: str) -> None:
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=30)) as connection, connection:
        try:
            first = connection.execute(FIRST).fetchone()
        except sqlite3.OperationalError:  # a server was killed before it had made its tables
            return
        if first is None or (first[1] == user and check_password_hash(first[2], password)):
            return
        try:
            connection.execute(
                "UPDATE users SET username = ?, password_hash = ? WHERE id = ?", (user, generate_password_hash(password), first[0])
            )
        except sqlite3.IntegrityError:
            raise RegistryError(f"MLflow has another user {user!r} already", "choose another FORTNIGHT_SERVE__USER") from None
