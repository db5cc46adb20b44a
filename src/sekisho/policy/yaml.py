"""YAML 1.2 text to plain nodes that know their place.

Only what a table needs is let through: no anchors, aliases, tags, merges or second documents. A scalar stays text until
the model says what it should be, so `no`, `1_000` and `12:30` can never turn into something nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

DEPTH_MAX = 24
"""Deeper than any policy, shallower than any stack."""


NODES_MAX = 400_000
"""Cells of a file. A policy of five thousand rows has a quarter of a million."""


class Place(msgspec.Struct, frozen=True, order=True):
    """Line and column, both from one."""

    line: int = 1
    column: int = 1


class Scalar(msgspec.Struct):
    """A value as written."""

    place: Place
    text: str
    plain: bool
    """Written without quotes."""


class Sequence(msgspec.Struct):
    """A list."""

    place: Place
    items: list[Node]


class Mapping(msgspec.Struct):
    """A mapping; each key with its own place."""

    place: Place
    entries: dict[str, tuple[Place, Node]]


Node = Scalar | Sequence | Mapping


class Unreadable(Exception):
    """The text is no YAML that a policy may be written in."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(text)
        self.place = place
        self.text = text


class _Composer:
    """Builds nodes from parse events, keeping what was wrong."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.faults: list[tuple[Place, str]] = []
        self.left = NODES_MAX

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, DocumentStartEvent) and root is not None:
                raise Unreadable(_place(event), "a second document begins; a policy is one document: remove the `---`")
            if isinstance(event, NodeEvent):
                root = self.node(event, 0)
        return root

    def node(self, event: Event, depth: int) -> Node:
        place = _place(event)
        self.plain(event, place)
        self.left -= 1
        if self.left < 0:
            raise Unreadable(place, f"the file goes on after {NODES_MAX:,} cells, and no policy of that size is proved; split it")
        if isinstance(event, ScalarEvent):
            return Scalar(place, event.value, plain=not event.style)
        if depth >= DEPTH_MAX:
            raise Unreadable(place, f"nested more than {DEPTH_MAX} deep; no cell of a policy is")
        if isinstance(event, SequenceStartEvent):
            return Sequence(place, self.sequence(depth))
        return Mapping(place, self.mapping(depth))

    def plain(self, event: Event, place: Place) -> None:
        """Refuse what makes a node mean something else than it shows."""
        if isinstance(event, AliasEvent):
            raise Unreadable(place, "aliases (`*name`) are not allowed; write the cell out")
        if isinstance(event, NodeEvent) and event.anchor:
            raise Unreadable(place, "anchors (`&name`) are not allowed; write the cell out where it is needed")
        if getattr(event, "tag", None):
            self.faults.append((place, "tags (`!name`) are not allowed; the model says what a cell is: remove it"))

    def sequence(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return items

    def mapping(self, depth: int) -> dict[str, tuple[Place, Node]]:
        entries: dict[str, tuple[Place, Node]] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self.node(event, depth + 1)
            self.enter(entries, key, self.node(next(self.events), depth + 1))
        return entries

    def enter(self, entries: dict[str, tuple[Place, Node]], key: Node, value: Node) -> None:
        if not isinstance(key, Scalar):
            self.faults.append((key.place, "a key must be a word; quote it if it begins with `[` or `{`"))
        elif key.text == "<<":
            self.faults.append((key.place, "merges (`<<`) are not allowed; write the cells out"))
        elif key.text in entries:
            first = entries[key.text][0].line
            self.faults.append((key.place, f"{quoted(key.text)} stands here a second time, first in line {first}; "
                                           "remove one of the two"))
        else:
            entries[key.text] = (key.place, value)


def quoted(word: str) -> str:
    """A word of the file as an error shows it: short, on one line, printable."""
    shown = word if len(word) <= 60 else word[:57] + "…"
    return "`" + "".join(c if c.isprintable() else "�" for c in shown) + "`"


def read(text: str) -> tuple[Node | None, list[tuple[Place, str]]]:
    """The root node (None for an empty file) and what was wrong on the way."""
    composer = _Composer(_events(text))
    return composer.document(), composer.faults


def _events(text: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place()
        raise Unreadable(place, _problem(error)) from None
    except ReaderError as error:
        raise Unreadable(_at(text, error.position), f"character U+{ord(text[error.position]):04X} is not allowed; "
                                                    "remove it") from None
    except YAMLError:
        raise Unreadable(Place(), "this is not YAML; see the shipped policies for the form") from None
    except (Unreadable, GeneratorExit):
        raise
    # The parser is somebody else's and meets text from anywhere; whatever it trips over is the text's fault.
    except Exception as error:  # noqa: BLE001
        raise Unreadable(Place(), f"this is not YAML ({type(error).__name__}); see the shipped policies") from None


def _problem(error: MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem or error.context or "unexpected").split())
    hint = "indent with spaces" if "\\t" in problem else "look at the indentation, colons and quotes before this place"
    return f"not YAML: {problem}; {hint}"


def _at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _place(event: Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
