"""The promises as questions that can be put to any engine: each answers with what it found wrong, nothing where all is well.

An engine is a `Kind`: how its store is opened, its house, its clean-up. The real one and every planted bug are asked the same.
"""

import asyncio
import collections
import functools
import random

from house import Clock, House, Read
from power import Disk
from scale import times
from tables import HOUR, counter, lock, row, stage, table
from trail import audit

from sekisho.adapters.sqlite import SqliteStore
from sekisho.core.state import Guard
from sekisho.errors import LedgerUnavailable
from sekisho.flows.attempt import STRANGER_S
from sekisho.terms import Counting

BUDGET = 5


class Kind:
    """The real engine; a planted bug overrides one thing of it."""

    house = House

    def __init__(self, place):
        self.place = place
        self.clock = place.clock

    def store(self, **options):
        return SqliteStore(self.place.at, self.clock, **options) if options else self.place.open()

    def open(self, policy=None, **options):
        return self.house(self.store(**options), policy or login())

    async def clean_up(self, house, store):
        await house.pass_time(store)


def login(wrong=BUDGET, **window):
    return table(row("login", "password", counter("c", "customer", stage(wrong, lock("login"), row="R"), **window)))


async def verdicts_of_a_burst(kind):
    """Sixty-four wrong guesses at once: as many verdicts as the budget allows, be it one."""
    found = []
    for budget in (BUDGET, 1):
        async with kind.open(login(budget)) as house:
            customer = f"customer:{budget}"
            await house.enrol(customer)
            runs = [await house.begin(f"procedure:{budget}-{n}", customer=customer) for n in range(64)]
            told = collections.Counter(await asyncio.gather(*[house.slow(run, "wrong") for run in runs]))
            found += [] if told == {"wrong": budget, "locked": 64 - budget} else [f"a budget of {budget}, and {dict(told)}"]
    return found


async def failures_at_the_window_s_edge(kind):
    """Two nodes guess in the moment a window has passed: what the one counted the other must not forget."""
    policy = login(counting=Counting.WITHIN, window_s=HOUR)
    async with kind.open(policy) as one, kind.open(policy) as two:
        await one.enrol("customer:1")
        runs = [await one.begin(f"procedure:{n}") for n in range(20)]
        for run in runs[:BUDGET - 1]:
            await one.enter(run, "wrong")
        kind.clock.wait(2 * HOUR)
        told = await asyncio.gather(*[(one, two)[n % 2].enter(run, "wrong") for n, run in enumerate(runs[4:])])
        return [] if told.count("wrong") == BUDGET else [f"{told.count('wrong')} verdicts at a budget of {BUDGET}"]


async def failures_while_cleaning_up(kind):
    """A failure that comes between the choice of old rows and their deletion is kept."""
    async with kind.open() as house:
        run = await house.begin("procedure:1", customer="customer:unknown")
        await house.enter(run, "wrong")
        kind.clock.wait(STRANGER_S + 1)
        bucket = house.subjects.bucket("customer:unknown")
        chosen = []

        class Meanwhile:
            """The store, but something happens between the choice and what follows from it."""

            def __getattr__(self, name):
                return getattr(house.store, name)

            async def due(self, prefix, now, limit):
                keys = await house.store.due(prefix, now, limit)
                if bucket in keys and not chosen:
                    chosen.append(bucket)
                    await house.enter(run, "wrong")
                return keys

        await kind.clean_up(house, Meanwhile())
        guard = await house.ledger.run(Read(bucket, Guard))
        stands = guard.counts["c"].wrong if guard and "c" in guard.counts else 0
        return [] if chosen == [bucket] and stands >= 1 else [f"{chosen} cleaned up, {stands} failures left"]


async def answers_before_their_commit(kind):
    """No failure is missing that was told before a power cut, or where the database is another machine's, before a crash of the node."""
    return await (after_a_crash(kind) if kind.place.kind == "postgres" else after_a_power_cut(kind))


async def after_a_crash(kind):
    """The node is gone the moment it has told, and with it whatever it had not committed."""
    store, told = kind.store(), []
    async with kind.house(store, login(99)) as house:
        await house.enrol("customer:1")
        for n in range(6):
            run = await house.begin(f"procedure:{n}")
            told.append(await house.enter(run, "wrong"))
            store._drop()
    async with House(kind.place.open(), login(99)) as house:
        left = (await house.count("customer:1"))[0]
    return [] if left == told.count("wrong") == 6 else [f"{told} told, {left} left"]


async def after_a_power_cut(kind):
    disk = Disk(f"power-{id(kind)}")
    async with kind.open(login(99), vfs=disk.name) as house:
        await house.enrol("customer:1")
        for n in range(6):
            run = await house.begin(f"procedure:{n}")
            disk.promise(await house.enter(run, "wrong"))
    found = []
    for number, cut in enumerate(n + 1 for n in disk.writes):
        folder = kind.place.at.parent / f"cut-{number}"
        folder.mkdir()
        for name, body in disk.after(cut, 0).items():
            (folder / name).write_bytes(body)
        left = await _standing(folder / "ledger.db")
        if left < disk.promised(cut).count("wrong"):
            found.append(f"{disk.promised(cut).count('wrong')} failures told, {left} left after step {cut}")
    return found


async def _standing(path):
    try:
        async with House(SqliteStore(path, Clock()), login(99)) as house:
            return (await house.count("customer:1"))[0]
    except LedgerUnavailable:
        return 0


async def entry_begun_before_a_lock(kind):
    """What was begun before the lock and is finished after it opens nothing and clears nothing."""
    shared = counter("c", "customer", stage(3, lock("login"), row="R"))
    other = counter("d", "customer", stage(1, lock("login"), row="S"))
    policy = table(row("login", "password", shared), row("transfer", "code", other))
    async with kind.open(policy) as house:
        await house.enrol("customer:1")
        run, elsewhere = await house.begin("procedure:1"), await house.begin("procedure:2", operation="transfer")
        await house.enter(run, "wrong")
        name, _ = await house.reserve(run)
        await house.enter(elsewhere, "wrong", item="code")
        told = await house.settle(name, "right")
        left = (told, await house.count("customer:1"), await house.locks("customer:1"))
        return [] if left == ("refused", (1, 0), ["S"]) else [f"{left}"]


async def _turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


async def right_racing_wrong(kind):
    """In any order of answers no failure and no lock is lost; the ledger's own record is counted again."""
    customers = [f"customer:{seed}" for seed in range(times(6, full=60))]
    async with kind.open() as house:
        await house.enrol(*customers)
        for seed, customer in enumerate(customers):
            chance = random.Random(seed)
            runs = [await house.begin(f"procedure:{seed}-{n}", customer=customer) for n in range(24)]
            await asyncio.gather(*[
                house.slow(run, chance.choice(["right", "wrong", "wrong"]), compare=functools.partial(_turns, chance.randrange(12)))
                for run in runs
            ])
        return await audit(house.store, house.table, customers)


async def paths_that_clear(kind):
    """Beginning, looking, logging in, ending, refusals and unread entries leave the count as it is."""
    async with kind.open() as house:
        await house.enrol("customer:1")
        run = await house.begin("procedure:1")
        for _ in range(3):
            await house.enter(run, "wrong")
        found, steps = [], {
            "another run": house.begin("procedure:2"), "a new session": house.session("session:1", "customer:1"),
            "the same session again": house.session("session:1", "customer:1"), "an unread entry": house.slow(run, "unread"),
            "an entry that is not asked for": house.enter(run, "right", item="unheard-of"),
        }
        for name, step in steps.items():
            await step
            if await house.count("customer:1") != (3, 0):
                found.append(f"{name} changed the count")
        return found


async def locks_after_a_restart(kind):
    """Counts and locks are there when the process comes back."""
    async with kind.open() as house:
        await house.enrol("customer:1", "customer:2")
        for customer, guesses in (("customer:1", BUDGET), ("customer:2", BUDGET - 1)):
            for n in range(guesses):
                await house.enter(await house.begin(f"procedure:{customer}-{n}", customer=customer), "wrong")
    async with kind.open() as house:
        told = []
        for customer in ("customer:1", "customer:2", "customer:2"):
            told.append(await house.enter(await house.begin(f"procedure:{customer}-{len(told)}-after", customer=customer), "wrong"))
        return [] if told == ["locked", "wrong", "locked"] else [f"after the restart: {told}"]


CHECKS = (
    verdicts_of_a_burst, failures_at_the_window_s_edge, failures_while_cleaning_up, answers_before_their_commit,
    entry_begun_before_a_lock, right_racing_wrong, paths_that_clear, locks_after_a_restart,
)
