"""Nodes to structs of the model, by the model's own types. Every fault is kept with its place; nothing stops at the first.

A cell that cannot be read is replaced by an empty one of its type, so that the rest of the file is still looked at.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

import msgspec
from msgspec import inspect as shapes

from sekisho.policy.model import DURATION_MAX_MS, milliseconds
from sekisho.policy.yaml import Mapping, Node, Place, Scalar, Sequence, quoted

Path: TypeAlias = tuple[str | int, ...]
Shape: TypeAlias = Any
"""One of the types of `msgspec.inspect`, which have no common base worth naming."""
T = TypeVar("T", bound=msgspec.Struct)

_INTEGER = re.compile(r"^[-+]?[0-9]+$")
NEIGHBOURS = 120
"""Names looked at for a hint."""
_EMPTY = {"", "~", "null", "Null", "NULL"}


class Vocabulary:
    """Names that may stand somewhere, and hints at which of them was meant."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.sorted = sorted(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def near(self, word: str) -> str:
        """`did you mean …?`, or nothing."""
        close = difflib.get_close_matches(word[:80], self._around(word), n=1)
        return f"did you mean {quoted(close[0])}?" if close else ""

    def _around(self, word: str) -> list[str]:
        """All names, or of very many those that begin alike: a file of wrong names must not take minutes."""
        if len(self.sorted) <= NEIGHBOURS:
            return self.sorted
        at = bisect.bisect(self.sorted, word)
        return self.sorted[max(0, at - NEIGHBOURS // 2):at + NEIGHBOURS // 2]

    def hint(self, word: str) -> str:
        """The name that was probably meant, else some that exist."""
        some = ", ".join(quoted(name) for name in self.sorted[:8]) + (", …" if len(self.sorted) > 8 else "")
        return self.near(word) or (f"there are {some}" if some else "there is none to name, so define it first")


class Faults:
    """What was wrong, and where."""

    def __init__(self) -> None:
        self.found: list[tuple[Place | None, Path, str]] = []
        self.bad: set[Path] = set()

    def add(self, place: Place | None, path: Path, text: str) -> None:
        """Without a place: wherever the path leads."""
        self.found.append((place, path, text))
        self.bad.add(path)

    def spoiled(self, path: Path) -> bool:
        """Whether this cell, or one it stands in, could not be read."""
        return any(path[:depth] in self.bad for depth in range(len(path) + 1))


class Reader:
    """Reads nodes by types."""

    def __init__(self) -> None:
        self.faults = Faults()

    def struct(self, node: Node, of: type[T]) -> T:
        return cast("T", self.value(node, shapes.type_info(of), ()))

    def value(self, node: Node, shape: Shape, path: Path) -> Any:
        inner, extra = _plain(shape)
        if isinstance(inner, shapes.UnionType):
            return self.union(node, inner, path)
        if isinstance(inner, shapes.StructType):
            return self.cell(node, inner, path)
        if isinstance(inner, shapes.ListType):
            return self.sequence(node, inner, shape, path)
        if isinstance(inner, shapes.DictType):
            return self.mapping(node, inner, path)
        return self.scalar(node, inner, extra, shape, path)

    def union(self, node: Node, shape: Shape, path: Path) -> Any:
        options = list(_options(shape))
        fitting = [option for option in options if _form(_plain(option)[0]) is type(node)]
        if len(fitting) == 1:
            return self.value(node, fitting[0], path)
        if not fitting:
            forms = " or ".join(_describe(option) for option in options)
            self.faults.add(node.place, path, f"this is {_form_name(node)}; write {forms}")
            return _blank(options[0])
        return self.words_or_name(node, fitting, path)

    def words_or_name(self, node: Node, options: list[Shape], path: Path) -> Any:
        """Several scalars are possible: fixed words first, then any that fits."""
        for option in options:
            trial = Reader()
            value = trial.value(node, option, path)
            if not trial.faults.found:
                return value
        return self.value(node, options[0], path)

    def cell(self, node: Node, shape: Shape, path: Path) -> Any:
        if not isinstance(node, Mapping):
            self.faults.add(node.place, path, f"this is {_form_name(node)}; write {_describe(shape)}")
            return _blank(shape)
        fields = {field.encode_name: field for field in shape.fields}
        for key, (place, value) in node.entries.items():
            if key not in fields:
                self.unknown(place, path, key, fields, value)
        given = {}
        for key, field in fields.items():
            if key in node.entries:
                given[field.name] = self.field(node.entries[key], field, (*path, key))
            elif field.required:
                self.missing((*path, key), field)
                given[field.name] = _blank(field.type)
        return shape.cls(**given)

    def field(self, entry: tuple[Place, Node], field: Any, path: Path) -> Any:
        place, node = entry
        if isinstance(node, Scalar) and node.plain and node.text in _EMPTY:
            does = "write " + _describe(field.type) + ("" if field.required else ", or leave the key out")
            self.faults.add(place, path, f"{quoted(str(path[-1]))} is empty; {does}")
            return _blank(field.type) if field.required else _default(field)
        return self.value(node, field.type, path)

    def unknown(self, place: Place, path: Path, key: str, fields: Iterable[str], value: Node) -> None:
        # In `{ja: …, en: one, two}` the rest of a text is taken for a key that has no value.
        is_text = path and "en" in fields and isinstance(value, Scalar) and value.plain and not value.text
        hint = "a text with a comma in it stands in quotes" if is_text else Vocabulary(fields).hint(key)
        self.faults.add(place, (*path, key), f"unknown key {quoted(key)}; {hint}")

    def missing(self, path: Path, field: Any) -> None:
        text = _meta(field.type).get("description") or _describe(field.type)
        self.faults.add(None, path, f"{quoted(str(path[-1]))} is missing; write `{path[-1]}:` ({text})")

    def sequence(self, node: Node, inner: Shape, shape: Shape, path: Path) -> Any:
        if not isinstance(node, Sequence):
            self.faults.add(node.place, path, f"this is {_form_name(node)}; write {_describe(shape)}")
            return []
        if inner.min_length is not None and len(node.items) < inner.min_length:
            self.faults.add(node.place, path, f"this list needs at least {inner.min_length}; write {_describe(shape)}")
        if inner.max_length is not None and len(node.items) > inner.max_length:
            self.faults.add(node.place, path, f"this list holds at most {inner.max_length}; remove the rest")
        return [self.value(item, inner.item_type, (*path, number)) for number, item in enumerate(node.items)]

    def mapping(self, node: Node, inner: Shape, path: Path) -> Any:
        if not isinstance(node, Mapping):
            self.faults.add(node.place, path, f"this is {_form_name(node)}; write a mapping of names")
            return {}
        read = {}
        for key, (place, value) in node.entries.items():
            name = self.value(Scalar(place, key, plain=False), inner.key_type, (*path, key))
            read[name] = self.value(value, inner.value_type, (*path, key))
        return read

    def scalar(self, node: Node, inner: Shape, extra: dict[str, Any], shape: Shape, path: Path) -> Any:
        if not isinstance(node, Scalar):
            self.faults.add(node.place, path, f"this is {_form_name(node)}; write {_describe(shape)}")
            return _blank(shape)
        value, wrong = _scalar(node, inner, extra)
        if wrong:
            self.faults.add(node.place, path, wrong)
            return _blank(shape)
        return value


@cache
def _shape_of(cls: type[msgspec.Struct]) -> Shape:
    return shapes.type_info(cls)


def _scalar(node: Scalar, inner: Shape, extra: dict[str, Any]) -> tuple[Any, str]:
    """The value, or what is wrong with it."""
    if isinstance(inner, shapes.StrType):
        return _text(node, inner, extra)
    if isinstance(inner, shapes.IntType):
        return _integer(node, inner)
    if isinstance(inner, shapes.BoolType):
        return _truth(node)
    return _word(node, inner)


def _text(node: Scalar, inner: Shape, extra: dict[str, Any]) -> tuple[str, str]:
    text = node.text
    if "pattern" in extra and not re.match(extra["pattern"], text):
        return "", f"{quoted(text)} is not {extra['means']}; write one such as {_examples(extra)}"
    if extra.get("means") == "a length of time" and milliseconds(text) > DURATION_MAX_MS:
        return "", f"{quoted(text)} is longer than a century; write at most `36500d`"
    if inner.min_length and not text.strip():
        return "", "this text is empty; write it"
    if inner.max_length and len(text) > inner.max_length:
        return "", f"this text has {len(text)} characters; write at most {inner.max_length}"
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        return "", "half a surrogate pair is no character; remove it"
    return text, ""


def _integer(node: Scalar, inner: Shape) -> tuple[int, str]:
    right = f"write a whole number from {inner.ge} to {inner.le}"
    if not node.plain or not _INTEGER.match(node.text):
        return 0, f"{quoted(node.text)} is not a whole number; {right}"
    # Longer than any limit: not converted, since that takes long for a million digits.
    if len(node.text) > 18 or not inner.ge <= int(node.text) <= inner.le:
        return 0, f"{quoted(node.text)} is out of range; {right}"
    return int(node.text), ""


def _truth(node: Scalar) -> tuple[bool, str]:
    if node.plain and node.text in {"true", "false"}:
        return node.text == "true", ""
    return False, f"{quoted(node.text)} is neither true nor false; write `true` or `false`"


def _word(node: Scalar, inner: Shape) -> tuple[Any, str]:
    words = _words(inner)
    if node.text in words:
        return words[node.text], ""
    return next(iter(words.values())), f"unknown word {quoted(node.text)}; {Vocabulary(words).hint(node.text)}"


def _words(inner: Shape) -> dict[str, Any]:
    if isinstance(inner, shapes.EnumType):
        return {member.value: member for member in inner.cls}
    return {"true" if value is True else str(value): value for value in inner.values}


def _meta(shape: Shape) -> dict[str, Any]:
    """What `Meta` says of a type, outermost last."""
    found: dict[str, Any] = {}
    while isinstance(shape, shapes.Metadata):
        schema = dict(shape.extra_json_schema or {})
        found = {**schema, **(shape.extra or {}), **found}
        shape = shape.type
    return found


def _plain(shape: Shape) -> tuple[Shape, dict[str, Any]]:
    """The type without what `Meta` says of it, and that."""
    found = _meta(shape)
    while isinstance(shape, shapes.Metadata):
        shape = shape.type
    return shape, found


def _examples(extra: dict[str, Any]) -> str:
    return " or ".join(quoted(example) for example in extra["examples"])


def _options(union: Shape) -> Iterator[Shape]:
    """What a union allows, unions within it included; nothing is not written."""
    for option in union.types:
        inner, _ = _plain(option)
        if isinstance(inner, shapes.UnionType):
            yield from _options(inner)
        elif not isinstance(inner, shapes.NoneType):
            yield option


def _form(inner: Shape) -> type[Any]:
    if isinstance(inner, shapes.StructType | shapes.DictType):
        return Mapping
    return Sequence if isinstance(inner, shapes.ListType) else Scalar


def _form_name(node: Node) -> str:
    return {"Scalar": "one value", "Sequence": "a list", "Mapping": "a mapping"}[type(node).__name__]


@cache
def _describe_cls(cls: type[Any]) -> str:
    fields = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(cls) if field.required)
    return f"a mapping with {fields}" if fields else "a mapping"


def _describe(shape: Shape) -> str:
    """What should stand there, in a few words."""
    inner, extra = _plain(shape)
    if isinstance(inner, shapes.StructType):
        return _describe_cls(inner.cls)
    if isinstance(inner, shapes.UnionType):
        return " or ".join(_describe(option) for option in _options(inner))
    if isinstance(inner, shapes.ListType):
        return f"a list of {_describe(inner.item_type)}"
    if "means" in extra:
        return f"{extra['means']} such as {_examples(extra)}"
    if isinstance(inner, shapes.IntType):
        return "a whole number"
    if isinstance(inner, shapes.BoolType):
        return "`true` or `false`"
    if isinstance(inner, shapes.EnumType | shapes.LiteralType):
        return " or ".join(quoted(word) for word in _words(inner))
    return "a mapping of names" if isinstance(inner, shapes.DictType) else "a text"


def _default(field: Any) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _blank(shape: Shape) -> Any:
    """An empty value of the type, standing in for a cell that could not be read."""
    inner, _ = _plain(shape)
    if isinstance(inner, shapes.UnionType):
        nothing = any(isinstance(option, shapes.NoneType) for option in inner.types)
        return None if nothing else _blank(inner.types[0])
    if isinstance(inner, shapes.StructType):
        return inner.cls(**{field.name: _blank(field.type) for field in inner.fields if field.required})
    for kind, empty in ((shapes.ListType, list), (shapes.DictType, dict), (shapes.IntType, int), (shapes.BoolType, bool)):
        if isinstance(inner, kind):
            return empty()
    return next(iter(_words(inner).values())) if isinstance(inner, shapes.EnumType | shapes.LiteralType) else ""
