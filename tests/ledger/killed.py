"""Guesses as fast as it can and says what it was told, until somebody kills it."""

import asyncio
import sys

from house import House
from test_power import CUSTOMERS, KILLED

from sekisho.adapters import journal, sqlite


async def guess(house, name, customer):
    for number in range(1_000_000):
        run = await house.begin(f"procedure:{name}-{number}", customer=customer)
        told = await (house.enter(run, "wrong") if number % 3 else house.slow(run, "wrong"))
        sys.stdout.write(f"{run.key} {customer} {told}\n")
        sys.stdout.flush()


async def main(path, name):
    journal.FOLD_AT, journal.SLICE = 100, 30
    async with House(sqlite.SqliteStore(path), KILLED) as house:
        await asyncio.gather(*[guess(house, f"{name}-{n}", CUSTOMERS[n % 4]) for n in range(8)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
