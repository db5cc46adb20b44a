"""What a paper form brings about, read from the policy: locks it lifts, items it gives, rights it puts on file.

A form is entered for one subject and works on that subject and on those linked to it. What it gives goes to whoever holds
such a thing: a login password to the customer, a PIN of the telephone service to the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sekisho.core import release
from sekisho.core.state import Guard, Lock
from sekisho.policy.table import BY_LETTER, Condition, Exemption, PathCase, ReleasePath, Table
from sekisho.terms import ItemKind, Reach

CONTRACT = "contract"
"""The thing by whose giving a customer comes to be."""

DIGITS = {ItemKind.PASSWORD: 12, ItemKind.PIN: 4, ItemKind.PASSCODE: 6, ItemKind.KNOWLEDGE: 8}
"""How long it is where the policy's item does not say."""


class Effect(msgspec.Struct):
    """What carrying the form out would do now."""

    locks: list[tuple[str, Lock]]
    """(key of the row, lock) of each that it lifts."""
    items: list[str]
    """Given in a letter."""
    by_bank: list[str]
    """Given as well, but not by a letter from here: a token, a card."""
    exemptions: list[str]
    """Rights that it puts on file."""
    addresses: bool
    """It takes mail addresses."""
    contract: bool
    """It makes a customer of who is none."""

    @property
    def nothing(self) -> bool:
        """It would change nothing at all."""
        return not (self.locks or self.items or self.by_bank or self.exemptions or self.addresses or self.contract)


def effect(table: Table, path: ReleasePath, guards: Mapping[str, Guard], now: int) -> Effect:
    """What a form would do now, for the subjects whose rows these are."""
    gives = given(path, guards.values())
    locks = [(key, lock) for key, guard in guards.items() for lock in release.by_path(guard.locks, path.name) if lock.stands(now)]
    items = [name for name in gives if name in table.items and table.items[name].kind in BY_LETTER]
    sent = [name for name in gives if name in table.items and table.items[name].kind is ItemKind.CODE]
    rest = [name for name in gives if name not in {*items, *sent, CONTRACT}]
    return Effect(
        locks, items, rest, [name for name, one in table.exemptions.items() if one.form == path.name], bool(sent),
        CONTRACT in gives and not any("customer" in guard.links for guard in guards.values()) and not _has_customer(guards),
    )


def _has_customer(guards: Mapping[str, Guard]) -> bool:
    return any(key.startswith(f"{Reach.CUSTOMER}:") for key in guards)


def given(path: ReleasePath, guards: Iterable[Guard]) -> tuple[str, ...]:
    """What the form gives in the case at hand."""
    known = list(guards)
    flags = {flag for guard in known for flag in guard.flags} | {CONTRACT for guard in known if "customer" in guard.links}
    return next((case.gives for case in path.cases if _holds(case, flags)), ())


def _holds(case: PathCase, flags: set[str]) -> bool:
    return all(_met(condition, flags) for condition in case.when)


def _met(condition: Condition, flags: set[str]) -> bool:
    return (condition.flag in flags) is condition.holds


def ever_given(path: ReleasePath, table: Table) -> list[str]:
    """Every item that the form may give by letter, whatever the case."""
    names = dict.fromkeys(name for case in path.cases for name in case.gives)
    return [name for name in names if name in table.items and table.items[name].kind in BY_LETTER]


def holder(flag: str, table: Table) -> Reach:
    """On whom a flag stands: on whoever holds the item it is about, else on the customer."""
    kind, _, name = flag.partition(":")
    item = table.items.get(name) if kind in {"first-time", "set"} else None
    return item.reach if item is not None else Reach.CUSTOMER


def beneficiary(right: Exemption, table: Table) -> Reach:
    """On whom a right stands: on whoever the items are of that it opens."""
    return next((table.items[name].reach for name in right.items if name in table.items), Reach.CUSTOMER)
