"""The local MLflow store as files: copied while it is in use, and put in place elsewhere."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from forecasting.errors import RegistryError

DATABASE, ARTEFACTS = "mlflow.db", "artifacts"


def copy_database(home: Path, target: Path) -> bool:
    """A copy of the store's database as of one moment, by SQLite's own online backup; False where there is none.

    In one step: writers wait for the half second that it takes, where small steps would begin anew with each of their writes.
    """
    path = home / "mlflow" / DATABASE
    if not path.exists():
        return False
    with closing(_reading(path)) as source, closing(sqlite3.connect(target)) as copy:
        try:
            source.backup(copy)
        except sqlite3.Error as error:
            raise RegistryError(
                f"MLflow's database {path} cannot be copied: {error}", "stop who keeps it locked, then run again"
            ) from None
    return True


def artefact_files(home: Path) -> dict[str, Path]:
    """All files of all runs, by name within the store."""
    store = home / "mlflow"
    return {
        path.relative_to(store).as_posix(): path
        for path in sorted((store / ARTEFACTS).rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def is_unused(home: Path) -> bool:
    """Whether the store of a state folder holds neither runs nor models, so that another may take its place."""
    path = home / "mlflow" / DATABASE
    if not path.exists():
        return not artefact_files(home)
    with closing(_reading(path)) as database:
        try:
            counted = database.execute("SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM registered_models)").fetchone()
        except sqlite3.Error as error:
            raise RegistryError(f"{path} cannot be read: {error}", "move the folder mlflow away") from None
    return bool(counted[0] == 0)


def relocate(database: Path, old_home: Path, new_home: Path) -> list[str]:
    """Let all that a copied database says of places below one state folder say it of another.

    Any text of any table may begin with such a place: which columns do differs between versions of MLflow.

    Returns:
        local places of experiments that lie elsewhere and stay as they are.
    """
    old, new = old_home / "mlflow" / ARTEFACTS, new_home / "mlflow" / ARTEFACTS
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        for table in tables:
            for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if "CHAR" in kind.upper() or "TEXT" in kind.upper():
                    for was, becomes in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
                        # Names are SQLite's own; what is written is a parameter.
                        connection.execute(
                            f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608
                            f'WHERE "{column}" = ? OR substr("{column}", 1, ?) = ?',
                            (becomes, len(was) + 1, was, len(was) + 1, f"{was}/"),
                        )
        found = connection.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file:%'").fetchall()
    return [str(place) for (place,) in found if not str(place).startswith(f"{new.as_uri()}/")]


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)
