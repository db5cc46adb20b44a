"""A node's purse of the bank's guesses: leased in blocks, spent from memory, accounted for now and then.

Before an entry that a ceiling of the bank counts is decided, a guess is taken out of the purse; afterwards it goes back unless it was
spent. Which entries need one (those from devices that are not known) is decided with the subject's own row in hand, in `core`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as chance
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from sekisho.core.attempt import Why
from sekisho.core.ceiling import Account, Grant, settle
from sekisho.core.state import SECOND, THE_BANK, Guard, Leases, Lock, decode
from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.flows.answers import Refused
from sekisho.flows.subjects import Facts, Subjects
from sekisho.policy.table import Counter, Table
from sekisho.ports import Ledger, Store, Tx, Work

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

LEASES = "leases:bank"
"""The row that says which node holds how much."""

AHEAD = 4
"""Blocks are asked for that last for so many times what waits for them."""

LEAST = 16
"""The smallest block that is asked for."""

IDLE_TURNS = 4
"""Turns of housekeeping without an entry after which what is left goes back."""

RENEW_S = 15
"""A lease is renewed when it ends so soon. Seconds."""

LATER_S = 5
"""So much longer than a reservation lives, a node has surely told that it counts a guess as wrong. Seconds."""

TRIES = 3
"""How often more is asked for where others were quicker to take it."""


class Ticket(msgspec.Struct):
    """Guesses that were taken out of the purse for one entry."""

    until: dict[str, int] = {}
    """By counter: up to when they may be spent, by the ledger's clock. One that is missing could not be had."""
    leases: dict[str, int] = {}
    """By counter: of which lease they are."""


class Entry(Work[R_co], Protocol[R_co]):
    """What is decided with a guess of the bank at hand, and says whether it is gone."""

    facts: Facts
    item: str
    ticket: Mapping[str, int]
    spent: list[str]
    held: str


class Held(msgspec.Struct):
    """Guesses that were reserved and wait for their verdict."""

    leases: dict[str, int]
    """By counter: of which lease they are."""
    since: int = 0
    """When housekeeping first saw it."""


class Owed(msgspec.Struct):
    """A guess that another node holds, and that was not wrong: when that node has given it up it comes back."""

    run: int
    since: int = 0
    """When housekeeping first saw it."""


class Purse:
    """What a node holds of one counter. Left, out and spent come to what the ledger has leased to it."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.left = 0
        self.out = 0
        """Taken out for an entry, and not heard of yet."""
        self.spent = 0
        """Wrong, and not told yet."""
        self.back = 0
        """Counted as wrong, and not wrong after all."""
        self.owed: list[Owed] = []
        """Those that another node will count as wrong first."""
        self.run = 0
        """Which run of the count it was when that was last told."""
        self.until = 0
        self.lease = 0
        """Which lease it is: what was taken out of an earlier one does not come back."""
        self.wrong = 0
        """What stood for the whole bank when that was last told."""
        self.locks: tuple[Lock, ...] = ()
        self.wanted = 0
        """Entries that wait for more."""
        self.still = 0
        """Turns of housekeeping since the last entry."""
        self.asking: asyncio.Task[None] | None = None

    def collect(self, now: int, reservation_s: int) -> None:
        """What is owed comes back once the node that held it has surely counted it; in another run it is gone."""
        for one in self.owed:
            one.since = one.since or now
        before = now - (reservation_s + LATER_S) * SECOND
        self.back += sum(one.since < before and one.run == self.run for one in self.owed)
        self.owed = [one for one in self.owed if one.since >= before]

    def lose(self) -> None:
        """Nothing of this lease may be spent any more."""
        self.lease += 1
        self.left = self.out = self.spent = 0

    def came(self, *, back: bool) -> None:
        """One that was out has been heard of."""
        self.out -= 1
        if back:
            self.left += 1
        else:
            self.spent += 1

    def is_due(self, now: int) -> bool:
        """Whether there is something to tell: what was spent, a lease that ends, or one that nobody needs."""
        idle = self.still >= IDLE_TURNS and self.left > 0
        return idle or bool(self.spent or self.back) or (self.left + self.out > 0 and now > self.until - RENEW_S * SECOND)


class _Settle:
    """A node's account of one counter, in one commit."""

    keys: Sequence[str] = (THE_BANK, LEASES)

    def __init__(self, counter: str, node: str, told: Account) -> None:
        self._counter, self._node, self._told = counter, node, told

    def decide(self, tx: Tx) -> Grant | None:
        """None: the policy in force has no such ceiling."""
        counter = tx.table.counters.get(self._counter)
        if counter is None:
            return None
        guard = tx.get(THE_BANK, Guard) or Guard(known=True)
        leases = tx.get(LEASES, Leases) or Leases()
        grant, events = settle(guard, leases, counter, self._node, self._told, tx.now)
        tx.put(THE_BANK, guard)
        tx.put(LEASES, leases)
        for event in events:
            tx.tell(event)
        return grant


def _found_none(answer: object) -> bool:
    """Whether an entry was refused for want of a guess of the bank, and for nothing else."""
    return isinstance(answer, Refused) and answer.why is Why.BUSY and not answer.waits_for


class Ceilings:
    """All purses of a node.

    Args:
        ledger: where blocks are leased.
        store: the same ledger's store, to look at what stands.
        subjects: told which locks of the bank stand, for every scene of this node.

    """

    def __init__(self, ledger: Ledger, store: Store, subjects: Subjects) -> None:
        self.purses: dict[str, Purse] = {}
        self.reached = Tally[str]()
        """By ceiling: how often this node has seen it reached."""
        self._ledger = ledger
        self._store = store
        self._subjects = subjects
        self._held: dict[str, Held] = {}
        """By reservation."""
        self._node = chance.token_urlsafe(12)

    async def run(self, table: Table, work: Entry[R]) -> R:
        """Decide an entry, with a guess of the bank at hand where it may need one."""
        counters = table.bank.get(f"{work.facts.operation}/{work.item}") if table.bank else None
        if counters is None:
            return await self._ledger.run(work)
        answer = await self._run(counters, work)
        if not (_found_none(answer) and len(work.ticket) == len(counters)):
            return answer
        # There were guesses, but their lease had ended: this node was away for longer.
        for counter in counters:
            self._purse(counter).lose()
        return await self._run(counters, work)

    async def _run(self, counters: Iterable[Counter], work: Entry[R]) -> R:
        ticket = await self.ticket(counters)
        work.ticket = ticket.until
        try:
            answer = await self._ledger.run(work)
        except LedgerUnavailable:
            self.close(ticket, ())
            raise
        except BaseException:
            # Nobody knows what became of it: it is spent.
            self.close(ticket, list(ticket.until))
            raise
        self._after(ticket, work)
        return answer

    def _after(self, ticket: Ticket, work: Entry[R]) -> None:
        """What was not spent goes back; what was reserved is neither spent nor back until it has its verdict."""
        if not work.held or not work.spent:
            self.close(ticket, work.spent)
            return
        kept = {name: lease for name, lease in ticket.leases.items() if name in work.spent}
        self.close(Ticket(leases={name: lease for name, lease in ticket.leases.items() if name not in kept}), ())
        self._held[work.held] = Held(kept)

    def settled(self, reservation: str, counters: Sequence[str], *, wrong: bool) -> None:
        """A reserved guess has had its verdict here, wherever it was reserved."""
        held = self._held.pop(reservation, None)
        for name in counters:
            purse = self.purses.get(name)
            if purse is None:
                continue
            if held is not None and held.leases.get(name) == purse.lease:
                purse.came(back=not wrong)
            elif not wrong:
                purse.owed.append(Owed(purse.run))

    async def ticket(self, counters: Iterable[Counter]) -> Ticket:
        """Take one guess of each counter out of its purse; where one is empty ask for more first."""
        ticket = Ticket()
        for counter in counters:
            purse = self._purse(counter)
            purse.still = 0
            for _ in range(TRIES):
                if purse.left or purse.locks:
                    break
                await self._fill(purse)
            if purse.left:
                purse.left -= 1
                purse.out += 1
                ticket.until[counter.name] = purse.until
                ticket.leases[counter.name] = purse.lease
        return ticket

    def close(self, ticket: Ticket, spent: Sequence[str]) -> None:
        """What became of the guesses: those that were not spent go back."""
        for name, lease in ticket.leases.items():
            purse = self.purses.get(name)
            if purse is not None and lease == purse.lease:
                purse.came(back=name not in spent)

    def _purse(self, counter: Counter) -> Purse:
        purse = self.purses.get(counter.name)
        if purse is None:
            purse = self.purses[counter.name] = Purse(counter)
        return purse

    async def _fill(self, purse: Purse) -> None:
        """Ask for more; whoever finds the purse empty meanwhile waits for the same answer."""
        purse.wanted += 1
        try:
            await self._ask(purse, None)
        finally:
            purse.wanted -= 1

    async def _ask(self, purse: Purse, wish: int | None) -> None:
        # One that is done brings no more: whoever comes between its end and the next turn of the loop asks anew.
        if purse.asking is None or purse.asking.done():
            purse.asking = asyncio.create_task(self._settle(purse, wish))
        await asyncio.shield(purse.asking)

    async def _settle(self, purse: Purse, wish: int | None) -> None:
        """Tell what was spent and ask for more; without a wish as much as those need who wait for it."""
        lease = purse.lease
        spent, back, returned = purse.spent, purse.back, purse.left if purse.still >= IDLE_TURNS else 0
        more = max(LEAST, AHEAD * purse.wanted) if wish is None else wish
        purse.left -= returned
        told = Account(spent, returned, purse.left + purse.out, back, purse.run, more)
        try:
            grant = await self._ledger.run(_Settle(purse.counter.name, self._node, told))
        except LedgerUnavailable:
            purse.left += returned
            return
        except UnknownFate:
            # It may be on record or not: what was leased is given up, and lapses by itself.
            purse.lose()
            purse.back -= back
            return
        if grant is not None:
            self._granted(purse, told, grant, lease)

    def _granted(self, purse: Purse, told: Account, grant: Grant, lease: int) -> None:
        purse.back -= told.back
        if grant.lapsed:
            purse.lose()
        elif purse.lease == lease:
            purse.spent -= told.spent
        purse.left += grant.more
        purse.until, purse.run, purse.wrong = grant.until, grant.run, grant.wrong
        self._note(purse, grant.locks)

    def _note(self, purse: Purse, locks: tuple[Lock, ...]) -> None:
        new = {lock.id for lock in locks} - {lock.id for lock in purse.locks}
        if new:
            self.reached[purse.counter.name] += len(new)
            logging.getLogger("sekisho").critical("a ceiling of the bank is reached: %s", purse.counter.name)
        purse.locks = locks
        self._subjects.asking = tuple(lock for one in self.purses.values() for lock in one.locks)

    async def mind(self, table: Table, now: int) -> None:
        """One turn of housekeeping: tell what was spent, renew or give back what is left, learn what stands at the bank."""
        counters = {counter.name: counter for touched in table.bank.values() for counter in touched}
        for name in self.purses.keys() - counters.keys():
            del self.purses[name]
        for counter in counters.values():
            purse = self._purse(counter)
            purse.counter = counter
            purse.still += 1
            purse.collect(now, table.timing.reservation_s)
            if purse.is_due(now):
                await self._ask(purse, 0)
        self._give_up(now, table.timing.reservation_s)
        if counters:
            await self._look(now)
        elif self._subjects.asking:
            self._subjects.asking = ()

    def _give_up(self, now: int, reservation_s: int) -> None:
        """A reservation without a verdict counts as wrong; if it had one at another node, that node gives its guess back."""
        for reservation, held in list(self._held.items()):
            held.since = held.since or now
            if held.since < now - reservation_s * SECOND:
                self.settled(reservation, list(held.leases), wrong=True)

    async def give_all_back(self) -> None:
        """This node stops: what it holds goes to the others."""
        for purse in self.purses.values():
            purse.still = IDLE_TURNS
            await self._ask(purse, 0)

    async def _look(self, now: int) -> None:
        """What other nodes have let fall, and what staff have lifted."""
        body = (await self._store.peek([THE_BANK])).get(THE_BANK)
        guard = None if body is None else decode(body, Guard)
        standing = [] if guard is None else [lock for lock in guard.locks if lock.stands(now)]
        counts = {} if guard is None else guard.counts
        for name, purse in self.purses.items():
            purse.run = counts[name].run if name in counts else 0
            self._note(purse, tuple(lock for lock in standing if lock.counter == name))
