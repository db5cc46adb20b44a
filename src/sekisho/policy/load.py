"""A policy file to a `Policy`, or every error in it as `file:line:column: what is wrong; what would be right`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File

import msgspec

from sekisho.errors import SekishoError
from sekisho.policy import meaning
from sekisho.policy.model import PolicyFile
from sekisho.policy.shape import Faults, Path, Reader
from sekisho.policy.yaml import Mapping, Node, Place, Sequence, Unreadable, read

SIZE_MAX = 8 * 1024 * 1024
"""Bytes. A policy of ten thousand rows has three million."""


class PolicyError(SekishoError):
    """The file cannot be used as a policy."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Policy(msgspec.Struct, frozen=True):
    """A policy file that could be read, and where each of its cells stands."""

    file: PolicyFile
    name: str
    """The file's name, as errors show it."""
    source: bytes
    root: Node

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a cell."""
        place = locate(self.root, path)
        return f"{self.name}:{place.line}:{place.column}"


def load(path: str | File) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: with every error found, each with its place.

    """
    name = str(path)
    try:
        with File(path).open("rb") as file:
            source = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise PolicyError([f"{name}:1:1: cannot be opened ({error.strerror}); give the path of a policy file"]) from None
    return parse(source, name)


def parse(source: str | bytes, name: str = "policy") -> Policy:
    """Read a policy from its text.

    Raises:
        PolicyError: with every error found, each with its place.

    """
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    root, found = _root(raw, name)
    reader = Reader()
    file = reader.struct(root, PolicyFile)
    found += [(place or locate(root, path), text) for place, path, text in reader.faults.found]
    found += _against_meaning(file, root, reader.faults)
    if found:
        raise PolicyError(_lines(name, found))
    return Policy(file, name, raw, root)


def _root(raw: bytes, name: str) -> tuple[Node, list[tuple[Place, str]]]:
    try:
        root, found = read(_decoded(raw))
        if root is None:
            raise Unreadable(Place(), "the file is empty; begin with `policy:` and its name")
    except Unreadable as error:
        raise PolicyError(_lines(name, [(error.place, error.text)])) from None
    return root, found


def _decoded(raw: bytes) -> str:
    if len(raw) > SIZE_MAX:
        raise Unreadable(Place(), f"the file has more than {SIZE_MAX // 1024 ** 2} MiB; no policy has")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[:error.start]
        place = Place(before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        raise Unreadable(place, "this is not UTF-8; save the file as UTF-8") from None


def _against_meaning(file: PolicyFile, root: Node, faults: Faults) -> Iterator[tuple[Place, str]]:
    """What makes no sense, except in cells that could not even be read."""
    for fault in meaning.check(file):
        if not faults.spoiled(fault.path):
            text = fault.text
            if fault.first is not None:
                text = text.replace("{first}", str(locate(root, fault.first).line))
            yield locate(root, fault.path), text


def locate(root: Node, path: Path) -> Place:
    """The place of a cell; of the last one on the way that exists, where it is missing."""
    node, place = root, root.place
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            place, node = node.entries[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            break
    return node.place if not isinstance(node, Mapping) else place


def _lines(name: str, found: list[tuple[Place, str]]) -> list[str]:
    return [f"{name}:{place.line}:{place.column}: {text}" for place, text in sorted(dict.fromkeys(found))]
