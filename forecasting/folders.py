"""The state folder and the folders in it, which no other account may look into: models, messages and users' passwords lie there."""

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)
LIST_OR_CHANGE = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
OTHERS = LIST_OR_CHANGE | stat.S_IXGRP | stat.S_IXOTH


def private_home(home: Path) -> Path:
    """Make the state folder, or take from other accounts the right to list or change the one that is there.

    The right to pass through stays, where it was given: Postgres, which root runs as another account, needs it.

    Raises:
        OSError: it cannot be made.
    """
    return _private(home, LIST_OR_CHANGE)


def private_folder(home: Path, name: str) -> Path:
    """Make a folder of the state folder, for this account alone; one that an older fortnight made is closed to others.

    Raises:
        OSError: it cannot be made.
    """
    return _private(private_home(home) / name, OTHERS)


def _private(path: Path, forbidden: int) -> Path:
    """Folders of another account, and such as /tmp, which belong to all, stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    info = path.stat()
    if info.st_mode & forbidden and info.st_uid == os.geteuid() and not info.st_mode & stat.S_ISVTX:
        logger.warning("closing %s to other accounts", path)
        path.chmod(stat.S_IMODE(info.st_mode) & ~forbidden)
    return path
