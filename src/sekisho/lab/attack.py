"""Attackers against the engine: how many guesses each gets beside the bound that was proved, and how often he breaks in.

They know the policy, every number, and when a lock ends; they have all that a run asks for except the item they guess at.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sekisho.core import budget
from sekisho.core.scene import count_of
from sekisho.core.state import SECOND
from sekisho.flows.addresses import sends
from sekisho.lab.bank import Bank, Customer, Visitor
from sekisho.lab.honest import sigmas
from sekisho.lab.replay import Player
from sekisho.lab.secrets import Lottery, lottery
from sekisho.lab.trace import written_out
from sekisho.policy.table import Stage, Table
from sekisho.proof.guesses import DAY_S, LASTING, Most, bound, most_within
from sekisho.proof.seats import PERSONAL, Seat, seats
from sekisho.terms import Outcome, PathKind, Verdict

ENOUGH = 1_000
"""Guesses after which an attacker whom nothing bounds has made his point."""

AT_ONCE = 32
"""Entries that the parallel attacker has under way at once."""

HOUR_S = 3_600

Tell = Callable[[int], None]


class Got(NamedTuple):
    """What one attacker got at one item."""

    item: str
    attacker: str
    guesses: int
    most: int | None
    """The proved bound in the time, with what the releases give; None: there is none."""
    exact: bool
    """The proof says that somebody gets as many."""
    releases: int = 0
    """Ways back that were walked for him."""

    @property
    def within(self) -> bool:
        """Whether he got no more than was proved."""
        return self.most is None or self.guesses <= self.most


class Broken(NamedTuple):
    """How often a secret was guessed, of so many customers."""

    item: str
    customers: int
    guesses: int
    """At each of them, the most that were looked at."""
    broken: int
    expected: float
    """How many the closed form lets expect."""
    sigmas: float
    """How far that is from what was seen, in standard deviations."""


class Field:
    """One attacker, one customer, one item, for some days."""

    def __init__(self, bank: Bank, item: str, most: Most, days: float, chance: random.Random, releases_max: int) -> None:
        self.bank, self.item, self.most, self.chance, self.releases_max = bank, item, most, chance, releases_max
        self.seats = seats(bank.table, item)
        self.customer = Customer("mark", _flags(most))
        self.begun = bank.now
        self.until = bank.now + int(days * DAY_S * SECOND)
        self.guesses = 0
        self.releases = 0

    @property
    def has_enough(self) -> bool:
        """Nothing bounds him, and he has shown it."""
        return self.most.guesses is None and self.guesses >= ENOUGH

    async def guess(self, seat: Seat) -> bool:
        """One wrong entry; whether it was looked at, and he wants more."""
        looked_at = await self.bank.enter(self.customer, seat, Verdict.WRONG) is Outcome.WRONG
        self.guesses += looked_at
        return looked_at and not self.has_enough

    async def spend(self) -> None:
        """All that is to be had now, the rows in any order."""
        for seat in self.chance.sample(self.seats, len(self.seats)):
            while await self.guess(seat):
                pass

    async def wait(self, at: int | None = None) -> bool:
        """Let time pass until it changes something, or until `at`; whether there is any left."""
        change = await self.bank.next_change(self.customer)
        at = min((one for one in (change, at) if one is not None), default=None)
        if at is None or at >= self.until or self.has_enough:
            return False
        await self.bank.wait((at - self.bank.now) / SECOND)
        return True


async def free(field: Field) -> None:
    """Guesses wherever he can, waits until he can again, and so on."""
    await field.spend()
    while await field.wait():
        await field.spend()


async def parallel(field: Field) -> None:
    """The same with many entries under way at once."""
    while True:
        for seat in field.seats:
            while await _at_once(field, seat):
                pass
        if not await field.wait():
            break


async def _at_once(field: Field, seat: Seat) -> bool:
    outcomes = await asyncio.gather(*(field.bank.enter(field.customer, seat, Verdict.WRONG) for _ in range(AT_ONCE)))
    field.guesses += (looked_at := outcomes.count(Outcome.WRONG))
    return looked_at > 0 and not field.has_enough


async def waiting(field: Field) -> None:
    """Leaves the customer able to enter his right one every day, and takes what is left at the end."""
    day = 0
    while not field.has_enough:
        await _sparing(field)
        for seat in field.seats:
            await field.bank.enter(field.customer, seat, Verdict.RIGHT)
        await _sparing(field)
        day += 1
        if not await _next_day(field, day):
            break
    await field.spend()


async def _sparing(field: Field) -> None:
    for seat in field.seats:
        while await _spares(field, seat) and await field.guess(seat):
            pass


async def _next_day(field: Field, day: int) -> bool:
    """Until the customer comes again; what time gives back meanwhile is taken."""
    due = field.begun + day * DAY_S * SECOND
    while field.bank.now < due:
        if not await field.wait(due):
            return False
        await _sparing(field)
    return True


async def _spares(field: Field, seat: Seat) -> bool:
    """Whether one more wrong entry lets no lock fall that lasts."""
    guards = await field.bank.guards(field.customer)
    for gauge in seat.row.gauges:
        counter = gauge.counter
        if counter.reach in PERSONAL:
            count = count_of(guards[field.customer.subjects[counter.reach]], counter.name)
            budget.refresh(count, counter, field.bank.now)
            stage = budget.unfired(count, counter)
            if stage is not None and stage.wrong - count.wrong <= 1 and _lasts(stage):
                return False
    return True


def _lasts(stage: Stage) -> bool:
    return any(penalty.kind in LASTING and penalty.for_s is None for penalty in stage.penalties)


async def planned(field: Field) -> None:
    """Goes by the trace of the bound, move by move."""
    player = Player(field.bank)
    await player.play(written_out(field.most.trace, field.bank.table, whole=field.most.guesses is not None).moves, lambda _: None)
    field.guesses += sum(step.done for step in player.steps if step.move.startswith(f"wrong {field.item} "))


async def recovering(field: Field) -> None:
    """Has the customer, or the bank, lift what stops him, some times."""
    await free(field)
    while field.releases < field.releases_max and not field.has_enough and (lifted := await _lifted(field)):
        field.releases += lifted
        await free(field)


async def _lifted(field: Field) -> int:
    """Locks that one way back lifts; 0: there is none to walk."""
    for _, lock in await field.bank.locks(field.customer):
        for name in lock.undo:
            way = field.bank.table.paths.get(name)
            if way is not None and way.kind in {PathKind.PROCEDURE, PathKind.DESK, PathKind.FORM}:
                return len(await field.bank.lift(field.customer, name))
    return 0


async def resending(field: Field) -> None:
    """Has a new code sent for every few guesses, in run after run: real codes, compared by the service."""
    await field.bank.reach(field.customer)
    while not field.has_enough and field.bank.now < field.until:
        got = [await _one_run(field, seat) for seat in field.seats]
        if not any(got):
            await field.bank.wait(HOUR_S)


async def _one_run(field: Field, seat: Seat) -> bool:
    """One run, a code in it that is sent again now and then, and guesses until none is looked at; whether any was."""
    run = await field.bank.open_run(field.customer, seat)
    before = field.guesses
    while run is not None and not field.has_enough:
        if (field.guesses - before) % 3 == 0:
            await field.bank.send(run, field.item)
        if await field.bank.answer(run, field.item, f"{field.chance.randrange(10**8):08}") is not Outcome.WRONG:
            break
        field.guesses += 1
    return field.guesses > before


ATTACKERS: dict[str, Callable[[Field], Awaitable[None]]] = {
    "free": free, "planned": planned, "parallel": parallel, "waiting": waiting, "recovering": recovering, "resending": resending,
}
"""By name."""


def fits(table: Table, item: str, attacker: str) -> bool:
    """Whether an attacker can go at an item: codes are sent again only where this service sends them."""
    found = table.items[item]
    return attacker != "resending" or (not found.confirms and any(sends(table, seat.operation, found) for seat in seats(table, item)))


async def attack(table: Table, item: str, attacker: str, *, days: float, seed: int, releases: int = 3, sqlite: bool = False) -> Got:
    """Let one attacker loose on one customer.

    Args:
        table: the policy.
        item: what he guesses at.
        attacker: who he is, one of `ATTACKERS`.
        days: for how long.
        seed: what all chance follows from.
        releases: how many locks are lifted for the one who has them lifted.
        sqlite: over a SQLite file, not in memory.

    """
    most = most_within(table, item, int(days * DAY_S), waiting=attacker == "waiting")
    async with Bank.opened(table, seed=seed, sqlite=sqlite) as bank:
        field = Field(bank, item, most, days, random.Random(f"{seed}/{item}/{attacker}"), releases)
        await bank.enrol(field.customer)
        await ATTACKERS[attacker](field)
    bounded = most.guesses
    if bounded is not None and field.releases:
        bounded += field.releases * bound(table, item, waiting=False).per_release
    return Got(item, attacker, field.guesses, bounded, most.exact and not field.releases, field.releases)


# How often he breaks in.


async def break_in(
    table: Table, item: str, customers: int, *, days: float, seed: int, digits: int | None = None, tell: Tell = lambda _: None,
) -> Broken | None:
    """One attacker at each of many customers, who is right when he hits; None: nobody knows how such secrets come about.

    Args:
        table: the policy.
        item: what he guesses at.
        customers: how many he attacks, each as the free attacker does.
        days: for how long.
        seed: what all chance follows from.
        digits: of codes, instead of the policy's, so that there is something to count.
        tell: told how many customers are done.

    """
    drawn = lottery(table, table.items[item], digits)
    if drawn is None:
        return None
    chance = random.Random(f"{seed}/{item}/break-in")
    most = most_within(table, item, int(days * DAY_S), waiting=False)
    broken = guesses = 0
    async with Bank.opened(table, seed=seed) as bank:
        for number in range(customers):
            mark = _Mark(bank, Customer(f"mark-{number}", _flags(most)), item, drawn, chance)
            await bank.enrol(mark.customer)
            broken += await mark.attacked(bank.now + int(days * DAY_S * SECOND))
            guesses = max(guesses, mark.guesses)
            tell(number + 1)
    expected = drawn.expected(guesses)
    return Broken(item, customers, guesses, broken, expected * customers, sigmas(broken, customers, expected))


class _Mark:
    """One customer with a secret."""

    def __init__(self, bank: Bank, customer: Customer, item: str, drawn: Lottery, chance: random.Random) -> None:
        self.bank, self.customer, self.drawn, self.chance = bank, customer, drawn, chance
        self.seats = seats(bank.table, item)
        self.secret = drawn.secret(chance)
        self.tries = drawn.guesses(chance)
        self.guesses = 0

    async def attacked(self, until: int) -> bool:
        """Whether one of all guesses up to then is right."""
        while True:
            for seat in self.seats:
                while (outcome := await self.guess(seat)) is Outcome.WRONG and self.guesses < ENOUGH:
                    pass
                if outcome is Outcome.RIGHT:
                    return True
            at = await self.bank.next_change(self.customer)
            if at is None or at >= until or self.guesses >= ENOUGH:
                return False
            await self.bank.wait((at - self.bank.now) / SECOND)

    async def guess(self, seat: Seat, visitor: Visitor | None = None) -> Outcome | None:
        """The next guess; it is gone only if it was looked at."""
        held = await self.bank.reserve(self.customer, seat, visitor)
        if held is None:
            return None
        self.guesses += 1
        right = self.drawn.hits(self.secret, next(self.tries), self.chance)
        return await self.bank.settle(held, Verdict.RIGHT if right else Verdict.WRONG)


def _flags(most: Most) -> list[str]:
    return [move.partition(" ")[2] for move in most.trace if move.startswith("flag ")]


# All customers, one after the other.


class Swept(NamedTuple):
    """A sweep over the bank's customers from devices that nobody knows, with the same few guesses at each."""

    item: str
    customers: int
    asked: int
    """Guesses that were tried."""
    looked_at: int
    broken: int
    expected: float
    """By the closed form, of the guesses that were looked at."""
    sigmas: float
    ceiling: int | None
    """The most that ceilings of the bank let pass at once; None: none counts all of it."""


async def sweep(
    table: Table, item: str, customers: int, *, each: int, seed: int, digits: int | None = None, tell: Tell = lambda _: None,
) -> Swept | None:
    """One guess at each customer in turn, then the next, all at one moment; None: nobody knows how such secrets come about."""
    drawn = lottery(table, table.items[item], digits)
    if drawn is None:
        return None
    chance = random.Random(f"{seed}/{item}/sweep")
    async with Bank.opened(table, seed=seed) as bank:
        marks = [_Mark(bank, Customer(f"mark-{number}"), item, drawn, chance) for number in range(customers)]
        await bank.enrol(*(mark.customer for mark in marks))
        left, broken = marks, 0
        for _ in range(each):
            after = []
            for start in range(0, len(left), AT_ONCE):
                part = left[start:start + AT_ONCE]
                outcomes = await asyncio.gather(*(mark.guess(mark.seats[0], bank.somebody("strange")) for mark in part))
                broken += sum(outcome is Outcome.RIGHT for outcome in outcomes)
                after += [mark for mark, outcome in zip(part, outcomes, strict=True) if outcome is Outcome.WRONG]
                await bank.app.mind_ceilings()
                tell(start)
            left = after
    made = [drawn.expected(mark.guesses) for mark in marks]
    looked_at, expected = sum(mark.guesses for mark in marks), sum(made)
    spread = math.sqrt(max(sum(one * (1 - one) for one in made), 1e-12))
    return Swept(item, customers, bank.asked, looked_at, broken, expected, abs(broken - expected) / spread, _ceiling(table, item))


def _ceiling(table: Table, item: str) -> int | None:
    counters = table.bank.get(f"{seats(table, item)[0].operation}/{item}", ())
    return min((counter.stages[-1].wrong for counter in counters), default=None)
