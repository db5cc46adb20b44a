"""All pages of the documentation, in the frame of the manual. A link that leads nowhere, or a text that is missing, stops the build."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sekisho import templates
from sekisho.catalogue import say
from sekisho.errors import CallerError
from sekisho.guide import reference
from sekisho.guide.markdown import Made, render
from sekisho.manual import FRAME, STYLE, Choice, File, style

HERE = Path(__file__).parent
FOLDERS = (HERE / "templates", FRAME)
LANGUAGE = "en"
"""In which the documentation is written. What the product says to people stands in it in Japanese too."""

START, HOW, REFERENCE, WHY, GLOSSARY, SEARCH = (
    "index.html", "how/index.html", "reference/index.html", "why/index.html", "glossary.html", "search.html")
MENU = {HOW: "how", REFERENCE: "reference", WHY: "why", GLOSSARY: "glossary", SEARCH: "search"}

CONTENTS_LEAST = 4
"""Headings of the second rank from which a page begins with a list of them."""

CONTENTS_OPEN = 10
"""With more the list waits until somebody opens it."""

SCRIPT, PLACES = "search.js", "places.js"
FILES = "files"
PICTURES = {".jpg", ".jpeg", ".png", ".svg"}

T = partial(say, LANGUAGE)


class Text(NamedTuple):
    """A page before it is set: where it stands in the repository, or would, and what it says."""

    source: str
    body: str


@dataclass
class Leaf:
    """A page that is set, without its frame."""

    place: str
    title: str
    made: Made
    links: list[str]
    """Where it leads: places, with what stands behind `#`."""


def build(root: Path) -> list[File]:
    """Every file of the documentation.

    Args:
        root: the folder of the repository.

    Raises:
        CallerError: it is none, or something in it leads nowhere.
        KeyError: the catalogue lacks a text, whose name it names.

    """
    if not (root / "docs").is_dir() or not (root / "README.md").is_file():
        raise CallerError("there is no documentation to build: give the folder that holds README.md and docs/ with --source")
    return _Build(root).files()


def place_of(source: str) -> str:
    """Where a page of the repository is put: `docs/how/mail.md` is `how/mail.html`, a README the first page of its folder."""
    inner = source.removeprefix("docs/").removesuffix(".md")
    if inner.rpartition("/")[2] == "README":
        return f"{inner.removesuffix('README')}index.html"
    return f"{inner if source.startswith('docs/') else inner.lower()}.html"


class _Build:
    """One build."""

    def __init__(self, root: Path) -> None:
        self._root = root
        texts = [*_written(root), *(Text(f"docs/reference/{name}.md", body) for name, body in reference.pages().items())]
        lists = [Text("docs/how/README.md", _list(T("guide.how"), texts, "docs/how/", T("guide.more"), ("docs/", ""))),
                 Text("docs/reference/README.md", _list(T("guide.reference"), texts, "docs/reference/"))]
        self._texts = [*texts, *lists]
        self._places = {one.source: place_of(one.source) for one in self._texts}
        self._beside: dict[str, Path] = {}
        """What pages link to and is no page: files of the repository, by their places."""

    def files(self) -> list[File]:
        """All of it."""
        leaves = [self._leaf(one) for one in self._texts]
        shown = [self._beside_page(place, path) for place, path in sorted(self._beside.items()) if path.suffix not in PICTURES]
        _hold([*leaves, *shown], {place for place, path in self._beside.items() if path.suffix in PICTURES})
        pages = [File(one.place, self._page(one).encode()) for one in [*leaves, *shown]]
        pictures = [File(place, path.read_bytes()) for place, path in self._beside.items() if path.suffix in PICTURES]
        found = f"const places = {json.dumps(_entries(leaves), ensure_ascii=False, separators=(',', ':'))};\n"
        return [
            File(STYLE, style()), File(SCRIPT, (HERE / SCRIPT).read_bytes()), File(PLACES, found.encode()),
            File(SEARCH, self._search(leaves).encode()), *pages, *pictures]

    def _leaf(self, one: Text) -> Leaf:
        place, links = self._places[one.source], []

        def follow(target: str) -> str:
            split = urlsplit(target)
            if split.scheme or split.netloc:
                return target
            there = self._there(posixpath.normpath(posixpath.join(posixpath.dirname(one.source), split.path)), one.source) if split.path else place
            links.append(f"{there}#{split.fragment}")
            near = posixpath.relpath(there, posixpath.dirname(place) or ".")
            return near + (f"#{split.fragment}" if split.fragment else "")

        made = render(one.body, follow)
        return Leaf(place, made.headings[0].title if made.headings else one.source, made, links)

    def _there(self, path: str, source: str) -> str:
        """The place of what a link names in the repository."""
        for name in (path, f"{path}/README.md"):
            if name in self._places:
                return self._places[name]
        found = self._root / path
        if path.startswith("..") or not found.exists():
            raise CallerError(f"{source}: there is no {path} to link to")
        place = f"{FILES}/{path}" if found.suffix in PICTURES else f"{FILES}/{path}.html"
        self._beside[place] = found
        return place

    def _beside_page(self, place: str, path: Path) -> Leaf:
        """A file of the repository as it stands; of a folder, what it holds."""
        title = place.removeprefix(f"{FILES}/").removesuffix(".html")
        held = "\n".join(sorted(one.name for one in path.iterdir() if one.is_file())) if path.is_dir() else path.read_text(encoding="utf-8")
        return Leaf(place, title, Made(f'<h1>{escape(title)}</h1>\n<pre tabindex="0"><code>{escape(held)}</code></pre>', ()), [])

    def _page(self, one: Leaf) -> str:
        heads = [head for head in one.made.headings if head.rank == 2]
        top, end, below = one.made.html.partition("</h1>\n")
        return self._framed(
            "guide_page.html", one.place, one.title, top=top + end, below=below, contents=heads if len(heads) >= CONTENTS_LEAST else [],
            opened=len(heads) <= CONTENTS_OPEN)

    def _search(self, leaves: list[Leaf]) -> str:
        return self._framed("guide_search.html", SEARCH, T("guide.search"), leaves=leaves, script=SCRIPT, data=PLACES)

    def _framed(self, template: str, place: str, title: str, **facts: object) -> str:
        up = "../" * place.count("/")
        menu = [Choice(T(f"guide.{name}"), up + there, there == place) for there, name in MENU.items()]
        return templates.render(
            FOLDERS, template, language=LANGUAGE, title=title, site=T("guide.name"), home=up + START, at_home=place == START, menu=menu,
            style=up + STYLE, t=T, **facts)


def _written(root: Path) -> Iterator[Text]:
    """What stands in the repository: its own pages, and those in `docs/`."""
    for path in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        yield Text(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))


def _list(title: str, texts: list[Text], folder: str, more: str = "", others: tuple[str, ...] = ()) -> str:
    """A page that names all of a folder, each with its first sentences."""
    inside = "\n".join(_line(one, folder) for one in texts if one.source.startswith(folder))
    beside = [_line(one, folder) for one in texts for base in others
              if one.source.startswith(base) and "/" not in one.source.removeprefix(base) and place_of(one.source) not in {START, GLOSSARY}]
    return f"# {title}\n\n{inside}\n" + (f"\n## {more}\n\n" + "\n".join(beside) + "\n" if beside else "")


def _line(one: Text, folder: str) -> str:
    title = one.body.partition("\n")[0].lstrip("# ")
    first = next((part for part in one.body.split("\n\n")[1:] if part[:1] not in "#|`-" and not part.startswith("    ")), "")
    told = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(first.split()))
    return f"- [{title}]({posixpath.relpath(one.source, folder)})  \n  {told}"


def _entries(leaves: list[Leaf]) -> list[tuple[str, str, str, str]]:
    """What is searched: address, heading, the page it is on, the words below it."""
    return [(f"{one.place}#{head.anchor}", head.title, one.title, head.text) for one in leaves for head in one.made.headings]


def _hold(leaves: list[Leaf], pictures: set[str]) -> None:
    """Every link leads to a place that is there."""
    anchors: Mapping[str, set[str]] = {one.place: {head.anchor for head in one.made.headings} | {""} for one in leaves}
    for one in leaves:
        for link in one.links:
            place, _, anchor = link.partition("#")
            if place not in pictures and anchor not in anchors[place]:
                raise CallerError(f"{one.place}: there is no #{anchor} on {place}")
