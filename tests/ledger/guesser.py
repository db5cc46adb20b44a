"""One of several processes that guess at one file or database: reads rounds from its input, says what came of each.

    guess N customer verdict lane number   ->  {"wrong": 5, "locked": 27}
"""

import asyncio
import collections
import json
import sys

from house import House
from places import is_database, store_at
from tables import counter, lock, row, stage, table

from sekisho.adapters import journal

BUDGET = 10
TABLE = table(row("login", "password", counter("c", "customer", stage(BUDGET, lock("login"), row="R"))))


async def one(house, customer, run, verdict, lane):
    """One guess in a run of its own; in the slow lane whoever is told `busy` asks again, as a waiting request does."""
    facts = await house.begin(run, customer=customer)
    return await (house.enter(facts, verdict) if lane == "fast" else house.slow(facts, verdict))


async def round_of(house, name, customer, verdict, lane, number):
    told = await asyncio.gather(*[one(house, customer, f"procedure:{name}-{n}", verdict, lane) for n in range(int(number))])
    return collections.Counter(told)


def say(told):
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def serve(path, fold_at):
    # Folded after a few rounds, and not after an afternoon: each process meets what another has folded in.
    journal.FOLD_AT, journal.SLICE = int(fold_at), max(2, int(fold_at) // 3)
    loop = asyncio.get_running_loop()
    store = store_at(path)
    async with House(store, TABLE, name=path, contended=store.another() if is_database(path) else None) as house:
        say("ready")
        while words := (await loop.run_in_executor(None, sys.stdin.readline)).split():
            say(await round_of(house, *words))


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
