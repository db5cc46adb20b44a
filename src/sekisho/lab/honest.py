"""Honest customers who mistype: how many of them lock themselves out, by a closed form and played on the engine.

Model (DALock, PoPETs 2022(3), after R. Chatterjee's data): each entry is wrong with one chance, whatever
was entered before; a customer comes again after a mean time that depends on his type, and enters until he is right or locked out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from sekisho.core.state import SECOND
from sekisho.lab.bank import Bank, Customer
from sekisho.policy.table import Table
from sekisho.proof.seats import Seat
from sekisho.terms import Outcome, Verdict

WRONG = 0.075
"""The part of entries that are wrong."""

DAY_S = 86_400

GAPS_S = tuple(int(days * DAY_S) for days in (0.5, 1, 3, 7, 14, 30))
"""By type of customer, as many of each: the mean time between two visits."""

TAIL = 500
"""Terms after which the rest is nothing."""

DAYS = 180
"""How long they are watched."""


def in_a_row(strikes: int, *, wrong: float = WRONG, days: float = DAYS, gaps_s: Sequence[float] = GAPS_S) -> float:
    """The part of customers whom a count in a row locks out: the mean over the types of 1 - (1 - wrong^strikes)^visits."""
    return _mean(lambda visits: -math.expm1(visits * math.log1p(-(wrong ** strikes))), days, gaps_s)


def in_all(limit: int, window_days: float, *, wrong: float = WRONG, days: float = DAYS, gaps_s: Sequence[float] = GAPS_S) -> float:
    """The part whom a count locks out that no right entry zeroes: more than the rest of them are wrong before the visits of a window are over.

    Windows are taken one after the other, so it is told a little low where a window is short.
    """
    within = min(days, window_days)
    windows = days / within
    return _mean(lambda visits: -math.expm1(windows * math.log1p(-min(_reached(limit, visits / windows, wrong), 1 - 1e-15))), days, gaps_s)


def _mean(chance: Callable[[float], float], days: float, gaps_s: Sequence[float]) -> float:
    return sum(chance(days * DAY_S / gap) for gap in gaps_s) / len(gaps_s)


def _reached(limit: int, visits: float, wrong: float) -> float:
    """The chance of so many wrong entries before the last of some visits was right (negative binomial)."""
    expected = visits * wrong / (1 - wrong)
    if limit <= expected:
        return 1 - math.fsum(_exactly(n, visits, wrong) for n in range(limit))
    # Above what is expected each is rarer than the one before, soon by a fixed part.
    return math.fsum(_exactly(n, visits, wrong) for n in range(limit, limit + TAIL))


def _exactly(n: int, visits: float, wrong: float) -> float:
    ways = math.lgamma(visits + n) - math.lgamma(visits) - math.lgamma(n + 1)
    return math.exp(ways + n * math.log(wrong) + visits * math.log1p(-wrong))


def visits_of(chance: random.Random, gap_s: float, days: float) -> list[float]:
    """When somebody comes: a Poisson process, seconds from the beginning."""
    at, found = chance.expovariate(1 / gap_s), []
    while at < days * DAY_S:
        found.append(at)
        at += chance.expovariate(1 / gap_s)
    return found


async def play(
    table: Table, seat: Seat, users: int, *, seed: int, wrong: float = WRONG, days: float = DAYS, gaps_s: Sequence[float] = GAPS_S,
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """How many of so many customers the engine locks out, as many of each type.

    Args:
        table: the policy.
        seat: the row at which they enter.
        users: how many there are.
        seed: what all chance follows from.
        wrong: the part of entries that are wrong.
        days: how long they are watched.
        gaps_s: the mean times between two visits, by type.
        tell: told how many visits were made.

    """
    chance = random.Random(f"{seed}/honest")
    customers = [Customer(f"user-{number}") for number in range(users)]
    plan = sorted((at, number) for number in range(users) for at in visits_of(chance, gaps_s[number % len(gaps_s)], days))
    locked: set[int] = set()
    async with Bank.opened(table, seed=seed) as bank:
        await bank.enrol(*customers)
        begun = bank.now
        for done, (at, number) in enumerate(plan, 1):
            if number not in locked:
                await bank.wait(max(0.0, at - (bank.now - begun) / SECOND))
                if not await _visit(bank, customers[number], seat, chance, wrong):
                    locked.add(number)
            tell(done)
    return len(locked)


async def _visit(bank: Bank, customer: Customer, seat: Seat, chance: random.Random, wrong: float) -> bool:
    """Enter until it is right; False: it was not looked at any more."""
    while True:
        verdict = Verdict.WRONG if chance.random() < wrong else Verdict.RIGHT
        outcome = await bank.enter(customer, seat, verdict)
        if outcome is not Outcome.WRONG:
            return outcome is Outcome.RIGHT


def sigmas(seen: int, of: int, expected: float) -> float:
    """How many standard deviations a count lies from what a chance lets expect."""
    spread = math.sqrt(max(of * expected * (1 - expected), 1e-12))
    return abs(seen - of * expected) / spread
