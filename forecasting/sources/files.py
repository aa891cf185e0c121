"""The files that a path means: one, those of a folder or a pattern, or one on the web; only regular files in their place."""

import csv
import itertools
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from forecasting.errors import SourceError
from forecasting.sources.web import Web, place_of


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What can be wrong with a file, in one line.

    Raises:
        SourceError: it is missing, may not be read, is cut short, or is no table.
    """
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"no such file: {name}", "correct the path, or bring the file back") from None
    except PermissionError:
        raise SourceError(f"{name} may not be read", "make it readable for this user") from None
    except (pa.ArrowInvalid, csv.Error, OSError, EOFError, zlib.error) as error:
        problem = str(error).split("\n")[0][:300] or "it is empty"
        raise SourceError(f"{name} is not a readable CSV file ({problem})", "check the file, or fetch it again") from None


def open_tables(path: str, web: Web) -> Iterator[tuple[str, BinaryIO]]:
    """The files that a path means, with their names: a file, all CSV files of a folder, a glob, or a URL.

    Raises:
        SourceError: there is none, or one cannot be read.
    """
    if path.lower().startswith(("http://", "https://")):
        with web.download(path) as body:
            yield place_of(path), body
        return
    with explained(path):
        found = _files(path)
    for file in found:
        with explained(str(file)), _opened(file) as body:
            yield str(file), body


def _opened(file: Path) -> BinaryIO:
    """A regular file: a pipe would be waited for, and a device has no end.

    Raises:
        SourceError: it is something else.
    """
    body = os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(body.fileno()).st_mode):
        body.close()
        raise SourceError(f"{file} is no regular file", "give a file, a folder of files or a URL; pipes and devices have no end")
    return body


def _files(path: str) -> list[Path]:
    try:
        place = Path(path).expanduser()
        if place.is_dir():
            found = [file for file in place.iterdir() if file.name.lower().endswith((".csv", ".csv.gz"))]
            missing, folder = f"{path} holds no file called *.csv or *.csv.gz", place
        elif any(sign in path for sign in "*?[") and not place.exists():
            found = list(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
            missing, folder = f"no file matches {path}", _fixed_part(place)
        else:
            place.stat()
            return [place]
    except (ValueError, RuntimeError) as error:  # what a path cannot hold, `**` within a name, ~ of a user who is not there
        raise SourceError(f"{path!r} is not a path ({error})", "correct it") from None
    if files := sorted(file for file in found if not file.is_dir()):
        _require_inside(files, folder)
        return files
    raise SourceError(missing, "correct the path, or bring the files")


def _fixed_part(pattern: Path) -> Path:
    """The folder down to which a pattern has no signs."""
    parts = list(itertools.takewhile(lambda part: not any(sign in part for sign in "*?["), pattern.parts))
    return Path(*parts)


def _require_inside(files: Iterable[Path], folder: Path) -> None:
    """Others may be allowed to put files into a folder; a link of theirs must not make us read what they cannot.

    Raises:
        SourceError: a file lies elsewhere.
    """
    home = folder.resolve()
    for file in files:
        try:
            is_inside = file.resolve().is_relative_to(home)
        except RuntimeError:  # links in a circle
            is_inside = False
        if not is_inside:
            raise SourceError(f"{file} is a link that leads out of {folder}", "copy the file, or name it as the path itself")
