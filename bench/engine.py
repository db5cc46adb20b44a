"""The engine alone: attempts against the ledger over SQLite, in batches as configured and in batches of one."""

import asyncio
import contextlib
import random
import time
from typing import NamedTuple

import uvloop

from bench.node import ITEM, ONE_COUNT, OPERATIONS, TWO_COUNTS, WRONG
from sekisho.app import build
from sekisho.flows.attempt import FastAttempt, secret_key
from sekisho.flows.compare import comparer
from sekisho.flows.subjects import Facts
from sekisho.serving import _calm_collector
from sekisho.terms import Outcome

SEED = 1
TURNS = 1_000_000


def measure(home, size):
    """Samples by name, one for each round; rounds of everything follow one another, so that all see the same machine."""
    with home.copied() as first, home.copied() as second:
        return uvloop.run(_rounds(first, second, size))


async def _rounds(first, second, size):
    async with contextlib.AsyncExitStack() as stack:
        batched = await opened(stack, first, first.settings())
        single = await opened(stack, second, second.settings(batch_max=1))
        _calm_collector()
        samples = {}
        for number in range(-size.warming, size.rounds):
            found = await _round(batched, single, size, SEED + number)
            if number >= 0:
                _keep(samples, found)
        return samples


async def opened(stack, home, settings):
    app = await stack.enter_async_context((await build(settings)).running())
    return Engine(app, home.owner, {name: [await app.runs.facts(run) for run in home.runs[name]] for name in OPERATIONS})


def _keep(samples, found):
    for name, one in found.items():
        samples.setdefault(name, []).append(one)


async def _round(batched, single, size, seed):
    chance = random.Random(seed)
    found = {"yardstick": _yardstick()}
    for operation in OPERATIONS:
        found[f"{operation} batched"] = await batched.rate(batched.spread(operation, size.batched, chance), size.at_once)
        found[f"{operation} single"] = await single.rate(single.spread(operation, size.single, chance), size.at_once)
    found[f"{TWO_COUNTS} hot"] = await batched.rate(batched.hot(TWO_COUNTS, size.batched), size.at_once)
    found[f"{ONE_COUNT} flow"] = await batched.flow_rate(batched.spread(ONE_COUNT, size.batched, chance), size.at_once)
    return found


def _yardstick():
    """How quick this machine is at Python just now: other work on it slows every processor second down."""
    spent = time.process_time()
    for _ in range(TURNS):
        pass
    return {"turn_ns": (time.process_time() - spent) / TURNS * 1e9}


class Typed(NamedTuple):
    """One entry: in which run, what is typed, and what must come of it."""

    facts: Facts
    proof: str = WRONG
    outcome: Outcome = Outcome.WRONG


class Engine:
    """One app's ledger and flows. `facts`: the runs that wait for their entry, by operation."""

    def __init__(self, app, owner, facts=None, item=ITEM):
        self._app = app
        self._owner = owner
        self._facts = facts or {}
        self._item = app.table.items[item]

    def spread(self, operation, count, chance):
        """Attempts at subjects chosen at random."""
        return [Typed(facts) for facts in chance.choices(self._facts[operation], k=count)]

    def hot(self, operation, count):
        """All attempts at one subject."""
        return [Typed(self._facts[operation][0])] * count

    async def rate(self, order, at_once):
        """Through the ledger: what one entry becomes once it has been read."""
        return await self._timed(order, at_once, self._attempt)

    async def flow_rate(self, order, at_once):
        """Through the whole flow, as the interface calls it."""
        return await self._timed(order, at_once, self._enter)

    async def _timed(self, order, at_once, one):
        left = iter(order)
        batches, decided = self._app.ledger.batches, self._app.ledger.decided
        began, spent = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._client(left, one) for _ in range(at_once)))
        passed, spent = time.perf_counter() - began, time.process_time() - spent
        made = self._app.ledger.batches - batches
        return {
            "per_s": len(order) / passed, "processor_us": spent / len(order) * 1e6, "batch": (self._app.ledger.decided - decided) / made,
        }

    async def _client(self, left, one):
        for typed in left:
            answer = await one(typed.facts, typed.proof)
            assert answer.outcome is typed.outcome, answer

    async def _attempt(self, facts, proof):
        app = self._app
        compare = comparer(app.secrets, app.codes, self._item, proof)
        secrets = [secret_key(facts.subjects[self._item.reach], self._item.name)]
        return await app.ledger.run(FastAttempt(app.subjects, facts, self._item.name, self._owner, "", compare, secrets=secrets))

    async def _enter(self, facts, proof):
        app = self._app
        return await app.entries.enter(app.table, self._owner, facts.key.partition(":")[2], self._item.name, proof)
