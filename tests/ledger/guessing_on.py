"""One node that guesses at its database whatever comes of it, and says what it was told, until its input ends.

    procedure:a-0-17 customer:3 wrong       a verdict; it is said before the next guess of that visitor
    procedure:a-0-18 customer:3 refused     surely not counted
    procedure:a-0-19 customer:3 unknown     counted, or not
"""

import asyncio
import itertools
import sys

from house import OWNER, House
from tables import counter, lock, row, stage, table

from sekisho.adapters import postgres, postgres_wire
from sekisho.adapters.watch import ClockWatch
from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.flows.subjects import Facts

BUDGET = 5
NEVER = 1_000_000
ITEMS = {"login": "password", "transfer": "pin"}
TABLE = table(
    row("login", "password", counter("c", "customer", stage(NEVER, lock("login"), row="R"))),
    row("transfer", "pin", counter("d", "customer", stage(BUDGET, lock("transfer"), row="S"))),
)
MANY = [f"customer:{n}" for n in range(4)]
"""Guessed at as often as it goes."""
SMALL = [f"customer:small-{n}" for n in range(600)]
"""Guessed at, one after the other, until a lock falls; and once more at each, again and again, when all have theirs."""

VISITORS = 6
"""Who guess at once in each node, every third of them at those with a small budget."""


class Deaf(postgres_wire.Wire):
    """A planted bug: it does not hear that a commit was not waited for."""

    def _note(self, _con, message):
        pass


async def visit(house, name, number):
    """One visitor: guess after guess."""
    at_small = number % 3 == 2
    operation, customers = ("transfer", itertools.cycle(SMALL)) if at_small else ("login", itertools.cycle(MANY))
    customer = next(customers)
    for count in itertools.count():
        run = f"procedure:{name}-{number}-{count}"
        told = await guess(house, run, operation, customer, slow=count % 3 == 0)
        say(f"{run} {customer} {told}")
        if told == "locked" or not at_small:
            customer = next(customers)
        if told in {"refused", "unknown"}:
            await asyncio.sleep(0.02)


async def guess(house, run, operation, customer, *, slow):
    taken = False
    try:
        facts = await begun(house, run, operation, customer)
        if not slow:
            return await house.enter(facts, "wrong", ITEMS[operation])
        name, told = await house.reserve(facts, ITEMS[operation], name=run.removeprefix("procedure:"))
        if told != "granted":
            return told
        taken = True
        return await house.settle(name, "wrong")
    except (UnknownFate, KeyError):
        # A primary that was replaced and does not know it knows nothing of the reservation either.
        return "unknown"
    except LedgerUnavailable:
        return "unknown" if taken else "refused"


async def begun(house, run, operation, customer):
    """A run, or what may be one: if it is not on record, no guess is looked at in it."""
    try:
        return await house.begin(run, operation, customer)
    except UnknownFate:
        return Facts(run, operation, {"customer": customer}, None, OWNER)


def say(told):
    sys.stdout.write(told + "\n")
    sys.stdout.flush()


async def node(url, name, promise):
    # The deadline is the product's own, shorter.
    postgres.DEADLINE_S = postgres_wire.DEADLINE_S = 1.0
    if promise == "deaf":
        postgres.Wire = Deaf
    weak = promise == "weak"
    store = postgres.PostgresStore(url, postgres_wire.Promise(replicated=True, accept_weaker=weak))
    async with House(store, TABLE, name=name, beside=[store.another()], contended=store.another(), watch=ClockWatch()) as house:
        visitors = [asyncio.create_task(visit(house, name, number)) for number in range(VISITORS)]
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        done, _ = await asyncio.wait([*visitors, ended], return_when=asyncio.FIRST_COMPLETED)
        for one in visitors:
            one.cancel()
        await asyncio.wait(visitors)
        # Whatever ended a visitor is a fault of this test.
        [one.result() for one in done]


if __name__ == "__main__":
    asyncio.run(node(*sys.argv[1:]))
