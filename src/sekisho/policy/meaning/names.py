"""What may be named where in a policy file, and what is told of a name that is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sekisho.policy import model as m
from sekisho.policy.rows import (
    EVERYTHING,
    NOT_SECRET,
)
from sekisho.policy.shape import Path, Vocabulary
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, Reach, Role


class Fault(NamedTuple):
    """One thing that is wrong."""

    path: Path
    text: str
    first: Path | None = None
    """Another place that the text speaks of as `{first}`."""


Faults = Iterator[Fault]

TIMED = frozenset({"lock", "block", "suspend", "disable", "ask-more"})
ON_OPERATIONS = frozenset({"lock", "block", "suspend"})
OWNED = frozenset(ItemKind) - NOT_SECRET - {ItemKind.PAIR}
"""Kinds whose secret or knowledge is kept on some subject."""
UNCOUNTED = NOT_SECRET | {ItemKind.DEVICE_BIOMETRIC, ItemKind.PASSKEY}
"""Kinds that nobody can find by trying here, so that a row may say `stages: none`."""
SENT = frozenset({ItemKind.CODE, ItemKind.CONFIRMATION})
"""Codes that the bank sends."""
DESKS = (Role.FIRST_LINE, Role.SECOND_LINE, Role.BACK_OFFICE)
"""Who works at the bank's desk; a channel or an auditor releases nothing."""
VERIFIES = {"sent": SENT, "in-session": frozenset({ItemKind.CODE}), "call-back": frozenset({ItemKind.KNOWLEDGE})}
"""By what kind of item a caller can be verified in each way."""
HAS_ADDRESSES = frozenset({Reach.CUSTOMER, Reach.ACCOUNT})
"""Subjects of whom it is kept where they can be reached."""
SUSPENSION = "suspension"
OWN_FLAGS = ("contract", "addresses-deleted")
FLAGS_OF_ITEMS = ("first-time", "set")
STANDS_NOWHERE = "the count stands on the run itself, where nothing can be locked; say whom with `on:`, such as `on: customer`"


class Names:
    """What may be named where."""

    def __init__(self, file: m.PolicyFile) -> None:
        ways = {*file.procedures, *file.forms}
        self.items = Vocabulary(file.items)
        self.operations = Vocabulary(file.operations)
        self.closed = Vocabulary({*file.operations, EVERYTHING})
        self.counters = Vocabulary(file.counters)
        self.forms = Vocabulary(file.forms)
        self.ways = Vocabulary(ways)
        self.exemptions = Vocabulary(file.exemptions)
        self.flags = Vocabulary({*file.flags, *OWN_FLAGS})
        self.kinds_of_flags = Vocabulary({*FLAGS_OF_ITEMS, "exemption"})
        self.needed = Vocabulary({*file.items, *file.things})
        self.cleared = Vocabulary({*file.items, *file.operations, EVERYTHING, SUSPENSION})

    def known(self, path: Path, name: str, what: str, names: Vocabulary) -> Faults:
        """Nothing, or that this is the name of nothing. The empty name stands for a cell already complained of."""
        if name and name not in names:
            yield Fault(path, f"unknown {what} {quoted(name)}; {names.hint(name)}")

    def all_known(self, path: Path, cell: str | Iterable[str] | None, what: str, names: Vocabulary) -> Faults:
        """The same for a cell that is one name or a list of them."""
        if isinstance(cell, str):
            yield from self.known(path, cell, what, names)
        else:
            for number, name in enumerate(cell or ()):
                yield from self.known((*path, number), name, what, names)

    def undo(self, path: Path, ways: list[str]) -> Faults:
        yield from self.all_known((*path, "undo"), ways, "way back", self.ways)

    def needs(self, path: Path, needs: list[str | list[str]]) -> Faults:
        for number, need in enumerate(needs):
            yield from self.all_known((*path, number), need, "item or thing", self.needed)

    def flag(self, path: Path, written: str) -> Faults:
        flag = written.removeprefix("not ").removeprefix("about:")
        before, colon, after = flag.partition(":")
        if not colon:
            yield from self.known(path, flag, "flag", self.flags)
        elif before == "exemption":
            yield from self.known(path, after, "exemption", self.exemptions)
        elif before in FLAGS_OF_ITEMS:
            yield from self.known(path, after, "item", self.items)
        else:
            yield from self.known(path, before, "kind of flag", self.kinds_of_flags)

    def when(self, path: Path, when: str | list[str] | None) -> Faults:
        if isinstance(when, str):
            yield from self.flag((*path, "when"), when)
        else:
            for number, flag in enumerate(when or ()):
                yield from self.flag((*path, "when", number), flag)
