"""Names that callers send: a subject, an operation, an item. What the policy does not name is refused, not waved through."""

from __future__ import annotations

import unicodedata

from sekisho.core.state import THE_BANK
from sekisho.errors import CallerError
from sekisho.policy.table import Item, Operation, Table
from sekisho.terms import Reach

SUBJECT_MAX = 200
"""Longest name of a subject, in characters."""

def checked_subject(name: str) -> str:
    """A subject's name, if it can be one: `kind:id`, short, printable.

    Raises:
        CallerError: it cannot.

    """
    kind, colon, identifier = name.partition(":")
    odd = len(name) > SUBJECT_MAX or not name.isprintable() or unicodedata.normalize("NFKC", name) != name
    if not colon or not identifier or identifier.strip() != identifier or odd or kind not in KINDS:
        detail = "a subject is named kind:id, as customer:0012345678; the kinds are " + ", ".join(sorted(KINDS))
        raise CallerError(detail)
    return name


def checked_caller(name: str) -> str:
    """Who telephones: `caller:id`. Any other subject's counts would be those of somebody who did not call.

    Raises:
        CallerError: it is another kind of subject, or none.

    """
    if checked_subject(name).partition(":")[0] != Reach.CALLER:
        raise CallerError("whoever telephones is named caller:id")
    return name


def looked_at(name: str) -> str:
    """A subject that staff look at: one that has a name, or the whole bank.

    Raises:
        CallerError: neither.

    """
    return name if name == THE_BANK else checked_subject(name)


KINDS = frozenset(reach.value for reach in Reach) - {Reach.PROCEDURE.value, Reach.SESSION.value, Reach.BANK.value}
"""Kinds of subjects that a caller can name."""


DESK = "desk"
"""Whose the runs are that the desk begins, whoever is there; no API key has this id."""


def operation_named(table: Table, name: str, owner: str = "") -> Operation:
    found = table.operations.get(name)
    if found is None:
        detail = "the policy in force names no such operation"
        raise CallerError(detail)
    if name == table.cases.get("verify") and owner != DESK:
        raise CallerError("a caller is verified at the desk alone, in a case of his")
    return found


def item_named(table: Table, operation: str, name: str) -> Item:
    found = table.operations.get(operation)
    if found is None or (name not in found.rows):
        detail = "the operation asks for no such item"
        raise CallerError(detail)
    return table.items[name]


def steps_met_by_name(table: Table, operation: Operation, subject: str) -> int:
    """Whoever named the subject when he began need not enter its identifier once more."""
    if "?" in subject or not operation.steps:
        return 0
    first = operation.steps[0].items
    item = table.items[first[0]]
    return 1 if len(first) == 1 and item.names is not None and subject.startswith(f"{item.names}:") else 0
