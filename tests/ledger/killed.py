"""Guesses as fast as it can and says what it was told, until somebody kills it; then another process goes on, for each name it is given.

    17                                  ->  pid 4711
                                            procedure:17-0-0 customer:0 wrong
                                            …
                                            gone

The one that is killed is forked from this one, which has loaded everything and opened nothing.
"""

import asyncio
import os
import sys

from house import House
from test_power import CUSTOMERS, KILLED

from sekisho.adapters import journal, sqlite


async def guess(house, name, customer):
    for number in range(1_000_000):
        run = await house.begin(f"procedure:{name}-{number}", customer=customer)
        told = await (house.enter(run, "wrong") if number % 3 else house.slow(run, "wrong"))
        say(f"{run.key} {customer} {told}")


def say(line):
    """In one write: no other line stands in it, and it is there whole or not at all."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def play(path, name):
    journal.FOLD_AT, journal.SLICE = 100, 30
    async with House(sqlite.SqliteStore(path), KILLED) as house:
        await asyncio.gather(*[guess(house, f"{name}-{n}", CUSTOMERS[n % 4]) for n in range(8)])


def main(path):
    for name in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            say(f"pid {os.getpid()}")
            asyncio.run(play(path, name.strip()))
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
