"""One of several processes that guess at one file or database: a word and its arguments a line, one answer in JSON for each.

    open FILE 300                       ->  "ready"
    round N customer wrong fast 64      ->  {"wrong": 10, "locked": 54}
    storm N customer:a,customer:b 64    ->  {"customer:a wrong": 10, "customer:a locked": 54, ...}
    mixed N customer 7 12               ->  {"right": 3, "wrong": 5, "unread": 2, "locked": 2}
    reserve N customer                  ->  ["1-1", "granted"]
    settle 1-1 right                    ->  "refused"
    wait 7200                           ->  "later"
    close                               ->  "closed"; the next word is `open` again, or nothing more
"""

import asyncio
import collections
import json
import random
import sys

from house import House
from places import is_database, store_at
from tables import HOUR, counter, lock, row, stage, table

from sekisho.adapters import journal
from sekisho.adapters.sqlite import wall_clock
from sekisho.core.state import SECOND
from sekisho.errors import LedgerUnavailable
from sekisho.terms import Counting

BUDGET = 10
TABLE = table(
    row("login", "password", counter("c", "customer", stage(BUDGET, lock("login"), row="R"))),
    # Within an hour, and its lock closes the other operation too.
    row("transfer", "pin", counter("w", "customer", stage(BUDGET, lock("transfer", "login"), row="W"), counting=Counting.WITHIN, window_s=HOUR)),
)
ITEMS = {"login": "password", "transfer": "pin"}


class Insistent(House):
    """Whoever is refused because the database is too busy was not looked at, and asks again."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._run, self.ledger.run = self.ledger.run, self._insist

    async def _insist(self, work):
        while True:
            try:
                return await self._run(work)
            except LedgerUnavailable:
                await asyncio.sleep(0.1)


class Guesser:
    """One node. Its time is the machine's, and as much later as it was told to wait."""

    def __init__(self, place):
        self.later = 0
        store = store_at(place, lambda: wall_clock() + self.later)
        self.house = Insistent(store, TABLE, name="guesser", contended=store.another() if is_database(place) else None)

    async def round(self, name, customer, verdict, lane, number, operation="login"):
        """Each in a run of its own; in the slow lane whoever is told `busy` asks again, as a waiting request does."""
        guesses = [self._one(f"procedure:{name}-{n}", customer, verdict, lane, operation) for n in range(int(number))]
        return collections.Counter(await asyncio.gather(*guesses))

    async def _one(self, run, customer, verdict, lane, operation):
        facts = await self.house.begin(run, operation, customer)
        return await (self.house.enter if lane == "fast" else self.house.slow)(facts, verdict, ITEMS[operation])

    async def storm(self, name, customers, number):
        """So many wrong guesses at each of several customers, all at once, in one run for each customer."""
        customers = customers.split(",")
        runs = await asyncio.gather(*[self.house.begin(f"procedure:{name}-{customer}", customer=customer) for customer in customers])
        guesses = [self._in_storm(run) for _ in range(int(number)) for run in runs]
        return collections.Counter(await asyncio.gather(*guesses))

    async def _in_storm(self, run):
        return f"{run.subjects['customer']} {await self.house.enter(run, 'wrong')}"

    async def mixed(self, name, customer, seed, number):
        """Right, wrong and unread, both lanes, answers at random moments."""
        chance = random.Random(seed)
        plans = [(chance.choice(["right", "wrong", "wrong", "unread"]), chance.random() < 0.4, chance.randrange(12)) for _ in range(int(number))]
        return collections.Counter(await asyncio.gather(*[
            self._planned(f"procedure:{name}-{n}", customer, *plan) for n, plan in enumerate(plans)
        ]))

    async def _planned(self, run, customer, verdict, fast, turns):
        async def compare():
            for _ in range(turns):
                await asyncio.sleep(0)

        facts = await self.house.begin(run, customer=customer)
        if fast and verdict != "unread":
            return await self.house.enter(facts, verdict)
        return await self.house.slow(facts, verdict, compare=compare)

    async def reserve(self, name, customer):
        return await self.house.reserve(await self.house.begin(f"procedure:{name}", customer=customer), name=name)

    async def settle(self, name, verdict):
        return await self.house.settle(name, verdict)

    async def wait(self, seconds):
        self.later += int(seconds) * SECOND
        return "later"


def say(told):
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def heard():
    return (await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)).split()


async def serve(place, fold_at):
    # Folded after a few rounds, and not after an afternoon: each process meets what another has folded in.
    journal.FOLD_AT, journal.SLICE = int(fold_at), max(2, int(fold_at) // 3)
    guesser = Guesser(place)
    async with guesser.house:
        say("ready")
        while words := await heard():
            if words == ["close"]:
                break
            say(await getattr(guesser, words[0])(*words[1:]))
    say("closed")


def main():
    """One node after the other, each with a loop of its own."""
    while words := sys.stdin.readline().split():
        asyncio.run(serve(*words[1:]))


if __name__ == "__main__":
    main()
