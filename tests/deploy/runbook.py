"""deploy/RUNBOOK.md taken apart: its headings, its blocks of commands, and what it mentions in passing."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt

from tests.deploy.conftest import DEPLOY

TEXT = (DEPLOY / "RUNBOOK.md").read_text()
TOKENS = MarkdownIt().enable("table").parse(TEXT)
HERE, HOST = "sh", "sh host"
"""What is run by a test, and what wants Docker, systemd or another version of the code."""

PLACEHOLDER = re.compile(
    r"\b(ALERT_ID|SILENCE_ID|ISSUE|VERSION|FILE|SERIES|TEXT|PASSWORD|SECRETS|DB_HOST|DB_PORT)\b|/backups\b|/srv/|127\.0\.0\.1:4300\b"
)
"""What stands for something of the operator's own."""


@dataclass(frozen=True)
class Block:
    """Lines of one language, below the chapter (##) and the section (###) that they are in; the section may be empty."""

    language: str
    chapter: str
    section: str
    content: str

    @property
    def lines(self) -> list[str]:
        return self.content.splitlines()

    def __str__(self) -> str:
        return self.section or self.chapter


def _headings() -> Iterator[tuple[str, str]]:
    for opening, inline in itertools.pairwise(TOKENS):
        if opening.type == "heading_open":
            yield opening.tag, inline.content


def _blocks() -> Iterator[Block]:
    chapter = section = ""
    for token, following in zip(TOKENS, [*TOKENS[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            if token.tag == "h2":
                chapter, section = following.content, ""
            elif token.tag == "h3":
                section = following.content
        elif token.type == "fence":
            yield Block(token.info, chapter, section, token.content)


def _cells() -> list[list[str]]:
    """The rows of all tables."""
    rows: list[list[str]] = []
    for token, following in itertools.pairwise(TOKENS):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1].append(following.content)
    return rows


def sections(chapter: str) -> list[str]:
    """The headings of a chapter's sections, in order."""
    found, within = [], ""
    for tag, heading in HEADINGS:
        within = heading if tag == "h2" else within
        if tag == "h3" and within == chapter:
            found.append(heading)
    return found


def slug(heading: str) -> str:
    """What a link to a heading is called."""
    return re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")


HEADINGS = list(_headings())
BLOCKS = list(_blocks())
ROWS = _cells()
MENTIONED = [child.content.replace("\n", " ") for token in TOKENS for child in token.children or () if child.type == "code_inline"]
"""Whatever stands between backticks within a sentence."""
LINKS = re.findall(r"\]\(([^)]+)\)", TEXT)
