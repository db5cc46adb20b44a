"""Strangers who lock an honest customer out: how often he is refused, what it costs them, and which locks they set."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sekisho.core.state import SECOND
from sekisho.lab.bank import Bank, Customer, Visitor
from sekisho.lab.replay import HOME
from sekisho.policy.table import Table
from sekisho.proof.board import Board
from sekisho.proof.guesses import DAY_S
from sekisho.proof.seats import Seat, distinct
from sekisho.proof.ways import strangers_seats
from sekisho.terms import Outcome, State, Verdict

ASKED_MAX = 10_000
"""Entries at one row in one go, after which no lock will come."""


class Refused(NamedTuple):
    """What the customer was told at one operation."""

    operation: str
    visits: int
    refused: int


class Fell(NamedTuple):
    """One kind of lock that the strangers set."""

    row: str
    times: int
    """How often it fell."""
    entries: int
    """Entries that it took altogether."""
    items: tuple[str, ...]
    """At which items."""


class Siege(NamedTuple):
    """What came of some days."""

    known: bool
    """The customer came from a device that is known; else from another each time."""
    operations: list[Refused]
    fell: list[Fell]
    at_once: int
    """Entries of the strangers in the first go."""
    entries: int
    """All their entries."""


async def besiege(table: Table, *, days: int, visits: int, known: bool, seed: int, tell: Callable[[int], None] = lambda _: None) -> Siege:
    """Strangers from as many devices as they like lock all that needs no secret, and lock it again whenever time has opened it.

    Args:
        table: the policy.
        days: for how long.
        visits: how often the customer comes in a day, at any hour; he enters everything rightly, and asks for no release.
        known: from a device that is known.
        seed: what all chance follows from.
        tell: told how many visits were made.

    """
    chance = random.Random(f"{seed}/siege")
    async with Bank.opened(table, seed=seed) as bank:
        customer = Customer("honest", devices=[HOME] if known else [])
        await bank.enrol(customer)
        siege = _Siege(bank, customer)
        await siege.attack()
        at_once = siege.entries
        begun = bank.now
        for number, at in enumerate(sorted(chance.random() * days * DAY_S for _ in range(days * visits)), 1):
            await siege.go_on(begun + int(at * SECOND))
            await siege.visit(bank.somebody(HOME if known else f"new-{number}"))
            tell(number)
        await siege.go_on(begun + days * DAY_S * SECOND)
        told = [Refused(name, days * visits, refused) for name, refused in siege.refused.items()]
        fell = [Fell(row, *siege.fell[row], tuple(sorted(siege.items[row]))) for row in siege.fell]
        return Siege(known, told, fell, at_once, siege.entries)


class _Siege:
    """Strangers around one customer."""

    def __init__(self, bank: Bank, customer: Customer) -> None:
        self.bank, self.customer = bank, customer
        board = Board(bank.table)
        self.seats: Sequence[Seat] = [seat for seat in distinct(bank.table, strangers_seats(bank.table)) if board.lasting(seat)]
        self.refused = {name: 0 for name, one in bank.table.operations.items() if one.path is None and (one.session or one.gives_session)}
        self.fell: dict[str, tuple[int, int]] = {}
        self.items: dict[str, set[str]] = {}
        self.entries = 0

    async def attack(self) -> None:
        """Every row that a stranger comes to, until nothing is looked at there."""
        for seat in self.seats:
            before = {lock.id for _, lock in await self.bank.locks(self.customer)}
            made = await self._at(seat)
            for row in {lock.row for _, lock in await self.bank.locks(self.customer) if lock.id not in before}:
                times, entries = self.fell.get(row, (0, 0))
                self.fell[row] = times + 1, entries + made
                self.items.setdefault(row, set()).add(seat.item)

    async def _at(self, seat: Seat) -> int:
        made = 0
        while made < ASKED_MAX:
            made += 1
            if await self.bank.enter(self.customer, seat, Verdict.WRONG, self.bank.somebody(f"strange-{self.entries + made}")) is not Outcome.WRONG:
                break
        self.entries += made
        return made

    async def go_on(self, until: int) -> None:
        """Time passes; whatever opens is locked again at once."""
        while (at := await self.bank.next_change(self.customer)) is not None and at <= until:
            await self.bank.wait((at - self.bank.now) / SECOND)
            await self.attack()
        await self.bank.wait(max(0, until - self.bank.now) / SECOND)

    async def visit(self, visitor: Visitor) -> None:
        """The customer goes through everything that he does when all is well."""
        for operation in self.refused:
            state, _ = await self.bank.walk(self.customer, operation, self.bank.table.items, visitor)
            self.refused[operation] += state is not State.DONE
