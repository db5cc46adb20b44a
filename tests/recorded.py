"""Real histories: clients who guess, hold guesses, look and release, all at once, at one counter of one customer."""

import asyncio
import itertools
import random

from linear import Asked
from staff import Look, desk_of, lift, staffed
from tables import START_OVER, counter, lock, row, stage, table

CUSTOMER = "customer:1"
STAGES = {3: False, 5: True}
"""At three the run is over, at five the login is closed until the desk opens it."""

COUNTERS = {"here": "c", "elsewhere": "d"}
POLICY = staffed(table(
    row("login", "password", counter("c", "customer", stage(3, START_OVER), stage(5, lock("login")))),
    row("transfer", "code", counter("d", "customer", stage(1, lock("login")))),
))
AGAIN = ("busy", "refused, again")


class Client:
    """Asks one thing after the other. Every guess is made in a run of its own, so that only the counter can refuse it."""

    def __init__(self, house, recorder, chance, names):
        self.house = house
        self.recorder = recorder
        self.chance = chance
        self.names = names

    async def ask_all(self, number):
        for _ in range(number):
            (what,) = self.chance.choices(["guess", "hold", "look", "close", "release"], [12, 12, 4, 1, 6])
            await getattr(self, what)()

    async def guess(self):
        run, verdict = await self._run(), self._verdict("right", "wrong")
        await self.recorder.ask(Asked("guess", verdict), self._said(self.house.enter(run, verdict)))

    async def hold(self):
        """Reserve, do something for a while, settle."""
        run, name = await self._run(), f"held-{next(self.names)}"
        if await self.recorder.ask(Asked("reserve", name=name), self._said(self._reserve(run, name))) != "granted":
            return
        for _ in range(self.chance.randrange(20)):
            await asyncio.sleep(0)
        verdict = self._verdict("right", "wrong", "unread")
        await self.recorder.ask(Asked("settle", verdict, name), self._settle(name, verdict))

    async def look(self):
        await self.recorder.ask(Asked("look"), self._look())

    async def close(self):
        """A wrong entry elsewhere closes the login too."""
        run = await self._run("transfer")
        await self.recorder.ask(Asked("close"), self._close(run))

    async def release(self):
        for where, name in COUNTERS.items():
            await self.recorder.ask(Asked("release", name=where), lift(desk_of(self.house), self.house.ledger, CUSTOMER, name))

    def _verdict(self, *verdicts):
        return self.chance.choice([*verdicts, "wrong"])

    async def _run(self, operation="login"):
        return await self.house.begin(f"procedure:{next(self.names)}", operation=operation)

    async def _close(self, run):
        return {"wrong": "closed", "spent": "nothing"}[await self.house.enter(run, "wrong", item="code")]

    async def _said(self, answer):
        told = await answer
        return "again" if told in AGAIN else told

    async def _reserve(self, run, name):
        return (await self.house.reserve(run, name=name))[1]

    async def _settle(self, name, verdict):
        told = await self.house.settle(name, verdict)
        return "unread" if told == "refused, again" else told

    async def _look(self):
        guard = await self.house.ledger.run(Look(CUSTOMER))
        count = guard.counts.get("c")
        return (count.wrong if count else 0, count.flight if count else 0, bool(guard.locks))


async def record(houses, seed, recorder, clients=8, each=10):
    """So many clients ask, spread over the houses; `houses` are open and know the customer. The seed is in every name."""
    chance, names = random.Random(seed), map(f"{seed}-{{}}".format, itertools.count())
    found = [Client(houses[n % len(houses)], recorder, random.Random(chance.random()), names) for n in range(clients)]
    await asyncio.gather(*[client.ask_all(each) for client in found])
