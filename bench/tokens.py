"""What people hold: a code of a token beside the cheapest entry, and what the signature of a passkey takes to look at.

The cheapest entry is an answer, the one of `bench attempts`: of all that is compared with a secret on record it takes least, one keyed hash over
a row that is only read. (Data and identifiers are compared with nothing.) A token's code is entered by the same customers, in runs that have
one step and one count as well, in the same store and batches. What it takes more is what it must: the seed is opened, the codes of three time
steps are made, and the step is on record as used in the commit of the guess.
"""

import random
from statistics import median

import uvloop

from bench import passkeys
from bench.apart import apart
from bench.codes import seed_of, typed_code
from bench.engine import SEED, Engine, Typed
from bench.node import AT_ONCE, ITEM, ONE_COUNT, RIGHT, WRONG, begin, customer, enrol, in_turn, seeded_home
from bench.report import Figure, Found
from sekisho.app import build
from sekisho.core.state import SECOND
from sekisho.serving import _calm_collector
from sekisho.terms import Outcome

PAYMENT, TOKEN = "payment", "token"

WRONG_OF = 10
"""Of so many entries one is wrong, as a bank sees them: of wrong codes half are mistyped and half are read too late."""

TURNS = 4
"""Samples of both in one round, each short: what disturbs the machine for a moment falls on few of the ratios."""

KINDS = {"mixed": "one in ten wrong", "attacked": "all wrong", "flow": "whole flow, one in ten wrong"}
"""What is measured of both items in every turn."""

OF_THE_RATE = 80
PASSKEY_S = 2e-3


def measure(size, steps):
    samples = {}
    for _ in steps.over("codes of tokens beside answers", range(1)):
        with seeded_home(2 * TURNS * (size.warming + size.rounds) * size.tokens) as home:
            samples["entries"] = apart(_entries, home, size)
    for _ in steps.over("signatures of passkeys", range(1)):
        samples["passkeys"] = apart(passkeys.measure, size)
    return Found([*_tokens(samples["entries"]), *_passkeys(samples["passkeys"])], samples, {"load": "one process, the engine alone"})


def _tokens(rounds):
    for kind, name in KINDS.items():
        ours, theirs = ([one[kind][item] for one in rounds] for item in (TOKEN, ITEM))
        ratios = [100 * one["per_s"] / other["per_s"] for one, other in zip(ours, theirs, strict=True)]
        yield Figure(f"answers, {name}: entries a second", median(one["per_s"] for one in theirs), "/s")
        yield Figure(f"tokens, {name}: entries a second", median(one["per_s"] for one in ours), "/s")
        yield Figure(f"tokens, {name}: of the rate of answers", median(ratios), "%", must=OF_THE_RATE)
        yield Figure(f"tokens, {name}: the same in the worst sample", min(ratios), "%")
        yield Figure(f"answers, {name}: processor each", median(one["processor_us"] for one in theirs), "µs")
        yield Figure(f"tokens, {name}: processor each", median(one["processor_us"] for one in ours), "µs")


def _passkeys(samples):
    for name, rounds in samples.items():
        yield Figure(f"passkey, {name}: processor for one signature", median(rounds), "ms", must=PASSKEY_S * 1e3, at_most=True)


def _entries(home, size):
    """Samples of both items, of every kind."""
    return uvloop.run(_rounds(home, size))


async def _rounds(home, size):
    async with (await build(home.settings())).running() as app:
        runs = {ITEM: home.runs[ONE_COUNT], TOKEN: await _payments(app, home)}
        _calm_collector()
        sides = _Sides(app, home.owner, runs, size)
        turns = [await sides.turn(number) for number in range(TURNS * (size.warming + size.rounds))]
        return turns[TURNS * size.warming:]


async def _payments(app, home):
    """A token for each customer, and a run of a payment that waits for its code."""
    number = len(home.runs[ONE_COUNT])
    await in_turn((enrol(app, customer(n), TOKEN, seed_of(n)) for n in range(number)), AT_ONCE)
    return await begin(app, home.owner, PAYMENT, map(customer, range(number)))


class _Sides:
    """Both items over one store, entered in turn. `runs`: those that wait for their entry, by item, in the order of the customers."""

    def __init__(self, app, owner, runs, size):
        self._app = app
        self._runs = runs
        self._size = size
        self._engines = {item: Engine(app, owner, item=item) for item in runs}

    async def turn(self, number):
        """The same customers enter both. Which item comes first changes from turn to turn: what wears on weighs on both.

        Whoever has entered the right thing is done, so every turn has customers of its own.
        """
        chance, each = random.Random(SEED + number), self._size.tokens
        items = sorted(self._runs, reverse=number % 2 == 1)
        first, second = (range(at * each, (at + 1) * each) for at in (2 * number, 2 * number + 1))
        return {
            "attacked": {item: await self._rate(item, first, chance, wrong_of=1) for item in items},
            "mixed": {item: await self._rate(item, first, chance, wrong_of=WRONG_OF) for item in items},
            "flow": {item: await self._rate(item, second, chance, wrong_of=WRONG_OF, flow=True) for item in items},
        }

    async def _rate(self, item, customers, chance, *, wrong_of, flow=False):
        now_s = await self._app.store.clock() // SECOND
        wrong = {n for at, n in enumerate(customers) if at % wrong_of == 0}
        entries = [
            Typed(await self._app.runs.facts(self._runs[item][n]), _proof(item, n, now_s, chance, right=n not in wrong),
                  Outcome.WRONG if n in wrong else Outcome.RIGHT)
            for n in customers
        ]
        engine = self._engines[item]
        return await (engine.flow_rate if flow else engine.rate)(entries, self._size.at_once)


def _proof(item, number, now_s, chance, *, right):
    if item == ITEM:
        return RIGHT if right else WRONG
    return typed_code(number, now_s, chance, right=right)
