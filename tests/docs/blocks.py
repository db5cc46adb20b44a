"""The examples of the pages: every block that a reader may copy, and the commands in it."""

import shlex
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
MARKDOWN = MarkdownIt()


class Block(NamedTuple):
    """A block of a page: fenced, or set in by four blanks."""

    page: str
    line: int
    kind: str
    text: str

    @property
    def first(self):
        return self.text.strip().split("\n", 1)[0]

    @property
    def commands(self):
        """The words of each command of sekisho's, without the comment behind it."""
        return [shlex.split(line, comments=True)[2:] for line in self.text.splitlines() if line.startswith("python3 run.py ")]


@cache
def blocks():
    """All of them, page by page."""
    return [
        Block(str(page.relative_to(ROOT)), token.map[0] + 1, token.info, token.content)
        for page in PAGES for token in MARKDOWN.parse(page.read_text(encoding="utf-8")) if token.type in {"fence", "code_block"}]


def block(page, first):
    """The one block of a page whose first line begins so."""
    found = [one for one in blocks() if one.page == page and one.first.startswith(first)]
    assert len(found) == 1, f"{page}: {first}: {len(found)} blocks begin so"
    return found[0]
