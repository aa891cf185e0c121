"""Secrets as files, as Docker, Kubernetes and systemd hand them out: a file a variable, named as it."""

import os
from pathlib import Path

from forecasting.errors import SettingsError

FOLDER = "FORTNIGHT_SECRETS"
USUAL = Path("/run/secrets")
MOST_BYTES = 64 * 1024


def adopt_secret_files() -> None:
    """Let each file of the folder stand for the variable of its name, in upper case; a variable that is set goes first.

    Raises:
        SettingsError: FORTNIGHT_SECRETS names no folder, or one of the files cannot be read.
    """
    given = os.environ.get(FOLDER)
    folder = Path(given) if given else USUAL
    if not folder.is_dir():
        if given:
            raise SettingsError(f"{FOLDER} names {given}, which is no folder", "correct the path or unset it")
        return
    for path in sorted(folder.iterdir()):
        name = path.name.upper()
        if path.is_file() and name.isidentifier() and name not in os.environ:
            os.environ[name] = _content(path)


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"secret {path} cannot be read ({error})", "give it to the user that fortnight runs as") from None
    if len(text) > MOST_BYTES or "\0" in text:
        raise SettingsError(f"secret {path} is no secret but a large or binary file", "put the value alone into it")
    return text.rstrip("\r\n")
