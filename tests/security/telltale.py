"""Secrets that can be recognised wherever and however they turn up."""

import base64
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

MARK = "tElLtAlE"
"""Part of every planted secret. Percent-encoding leaves it as it is."""
CONTROL = "c0ntr0lmark"
"""Part of a name, which may stand anywhere and must be found there."""


def planted(name: str) -> str:
    """A secret that begins and ends with characters that an encoding changes."""
    return f"/{name}+{MARK}:{secrets.token_hex(8)}%"


def forms(mark: str) -> list[bytes]:
    """How a mark looks: as it is, in hexadecimal, in base64 at each of the three places it can begin at, and percent-encoded."""
    told = mark.encode()
    found = [told, told.hex().encode(), "".join(f"%{byte:02x}" for byte in told).encode()]
    for before in range(3):
        text = base64.b64encode(bytes(before) + told + bytes(3))
        found.append(text[(8 * before + 5) // 6 : (8 * (before + len(told))) // 6])  # only what the mark alone decides
    return found


def places(content: bytes, mark: str = MARK) -> list[str]:
    """What stands around each place where a mark is found in any form, whatever its case."""
    lowered, found = content.lower(), []
    for form in (form.lower() for form in forms(mark)):
        hit = lowered.find(form)
        while hit >= 0:
            found.append(repr(content[max(0, hit - 60) : hit + len(form) + 60]))
            hit = lowered.find(form, hit + 1)
    return found


def in_files(folder: Path, mark: str = MARK, *, without: Iterable[Path] = ()) -> dict[str, list[str]]:
    """Every file below a folder in which a mark is found; SQLite databases also as what their rows say."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in without:
            content = path.read_bytes()
            if content.startswith(b"SQLite format 3"):
                content += "\n".join(sqlite3.connect(f"file:{path}?mode=ro", uri=True).iterdump()).encode()
            if hits := places(content, mark):
                found[str(path.relative_to(folder))] = hits[:5]
    return found


class ProcessList(threading.Thread):
    """Everything that the process list shows, again and again until the end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    try:
                        self.seen.add((process / "cmdline").read_bytes())
                    except OSError:
                        continue

    def text(self) -> bytes:
        return b"\n".join(self.seen)


def encoded(secret: str) -> str:
    """As a part of a URL."""
    return quote(secret, safe="")
