"""Numbered changes of a store's schema: what each step is called, and which releases run on what it leaves.

A step that is named `before` is taken before the code that needs it: every older release still runs. One named `after` takes
something away, and says in its first line which step a release must know to run without it: `-- needs 3 --`. So the released
code runs on a schema that a newer release has prepared, and refuses one it cannot understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from sekisho.errors import NewerState
from sekisho.ports import Schema

FOLDER: Traversable = resources.files("sekisho.adapters") / "migrations"

_FILE = re.compile(r"(\d{4})_(before|after)_[a-z_]+\.sql")
_NEEDS = re.compile(r"-- needs (\d+) --")


class Step(msgspec.Struct, frozen=True):
    """One numbered change."""

    number: int
    name: str
    text: str
    needs: int
    """The newest step that a release must know to run once this one is taken."""


def steps(store: str) -> list[Step]:
    """All steps that this release knows for a kind of store, in order."""
    found = []
    for file in (FOLDER / store).iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            text = file.read_text(encoding="utf-8")
            found.append(Step(int(match[1]), file.name, text, _needs(int(match[1]), match[2], text)))
    return sorted(found, key=lambda step: step.number)


def _needs(number: int, when: str, text: str) -> int:
    said = _NEEDS.match(text)
    if said:
        return int(said[1])
    return 0 if when == "before" else number


def to_take(ours: list[Step], done: Iterable[tuple[int, int]]) -> list[Step]:
    """The steps that are still to be taken, where `done` are the numbers and the needs of those that were.

    Raises:
        NewerState: a later release has taken a step that this one cannot run on.

    """
    taken = dict(done)
    newest = max(step.number for step in ours)
    if any(needs > newest for needs in taken.values()):
        raise NewerState
    return [step for step in ours if step.number not in taken]


def stand(store: str, done: list[tuple[int, int]]) -> Schema:
    """How far a kind of store has come with the steps that were taken."""
    number = max((number for number, _ in done), default=0)
    try:
        return Schema(number, tuple(step.name for step in to_take(steps(store), done)), too_new=False)
    except NewerState:
        return Schema(number, (), too_new=True)
