"""Markdown to HTML: headings with places to link to, tables that scroll by themselves, Japanese marked as Japanese."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff々〆][\u3000-\u30ff\u3400-\u9fff\uff00-\uffef①-⑳]*")
_NOT_IN_A_PLACE = re.compile(r"[^\w\- ]")

Follow = Callable[[str], str]
"""The address, on the page that is made, of what a text links to."""


class Heading(NamedTuple):
    """A heading, and what stands below it up to the next."""

    rank: int
    title: str
    anchor: str
    text: str


class Made(NamedTuple):
    """A page's inside."""

    html: str
    headings: tuple[Heading, ...]


def render(text: str, follow: Follow) -> Made:
    """One text.

    Args:
        text: Markdown with tables. HTML in it is shown, not obeyed.
        follow: where its links lead.

    """
    reader = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Writer).enable("table")
    tokens = reader.parse(text)
    _place(tokens)
    for token in _each(tokens):
        for name in {"link_open": ["href"], "image": ["src"]}.get(token.type, []):
            token.attrSet(name, follow(str(token.attrGet(name))))
    return Made(str(reader.renderer.render(tokens, reader.options, {})), tuple(_headings(tokens)))


def anchor_of(title: str) -> str:
    """The place of a heading, as code hosts name it too."""
    return _NOT_IN_A_PLACE.sub("", title.lower()).replace(" ", "-")


def _each(tokens: Sequence[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def _place(tokens: Sequence[Token]) -> None:
    """Give each heading a place of its own, and each table the name of the heading it stands below."""
    seen: dict[str, int] = {}
    title = ""
    for token, inside in pairwise(tokens):
        if token.type == "heading_open":
            title = _plain(inside)
            anchor = anchor_of(title)
            seen[anchor] = seen.get(anchor, -1) + 1
            token.attrSet("id", f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        elif token.type == "table_open":
            token.meta["title"] = title


def _headings(tokens: Sequence[Token]) -> list[Heading]:
    found: list[tuple[Token, str, list[str]]] = []
    inside = False
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and after is not None:
            found.append((token, _plain(after), []))
        inside = token.type == "heading_open" or (inside and token.type != "heading_close")
        if found and not inside and token.type in {"inline", "fence", "code_block"}:
            found[-1][2].append(_plain(token))
    return [Heading(int(token.tag[1]), title, str(token.attrGet("id")), " ".join(told)) for token, title, told in found]


def _plain(token: Token) -> str:
    """The words of a token alone."""
    if token.children is None:
        return token.content
    return "".join(" " if one.type in {"softbreak", "hardbreak"} else one.content for one in token.children)


class _Writer(RendererHTML):
    """Writes what the style sheet of the manual expects."""

    def text(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        """Words; those in Japanese say so, that they are set and read aloud as such."""
        return _JAPANESE.sub(lambda found: f'<span lang="ja">{found[0]}</span>', escape(tokens[idx].content, quote=False))

    def table_open(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        """A table that is wider than the screen is moved by itself, with the keyboard too."""
        return f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(tokens[idx].meta["title"])}"><table>\n'

    def table_close(self, *_: Any) -> str:
        """The end of it."""
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        """What is typed or answered."""
        return f'<pre tabindex="0"><code>{escape(tokens[idx].content, quote=False)}</code></pre>\n'

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """The same, where it is only set in."""
        return self.fence(tokens, idx, options, env)
