"""Several nodes over one ledger spend a ceiling of the bank from memory: together never more than it says, and all of it."""

import asyncio
from contextlib import AsyncExitStack

import msgspec
import pytest
from house import OWNER, House, Read, Write, outcome
from places import Place
from scale import times
from tables import ask_more, counter, devices, lock, row, stage, table

from sekisho.core.ceiling import LEASE_S
from sekisho.core.state import NEWEST, THE_BANK, Device, Guard
from sekisho.flows.attempt import Reserve
from sekisho.flows.ceilings import IDLE_TURNS, Ceilings
from sekisho.terms import Counting

pytestmark = pytest.mark.timeout(times(120, full=1_800))

FIGURE = times(150, full=5_000)
NODES = 3
SWEEP = counter("sweep", "bank", stage(FIGURE, ask_more("login"), row="SWEEP"), counting=Counting.WITHIN, window_s=86_400)


def policy():
    entered = msgspec.structs.replace(row("login", "password", counter("c", "customer", stage(9, lock("login")))), bank=(SWEEP,))
    made = table(entered, devices=devices("login"))
    return msgspec.structs.replace(made, counters={**made.counters, "sweep": SWEEP}, bank={"login/password": (SWEEP,)})


class Nodes:
    """Nodes with a purse each, over stores of their own at one place."""

    def __init__(self, place):
        self.place = place
        self.houses, self.all, self.spent = [], [], 0

    async def begin(self, stack, number=NODES):
        for n in range(number):
            house = await stack.enter_async_context(House(self.place.open(), policy(), name=f"node {n}"))
            self.houses.append(house)
            self.all.append(Ceilings(house.ledger, house.store, house.subjects))
        return self

    async def guess(self, node, wrong=True):
        """One entry from an unknown device: whether it was looked at."""
        ticket = await node.ticket([SWEEP])
        node.close(ticket, ["sweep"] if wrong and ticket.until else [])
        self.spent += bool(ticket.until and wrong)
        return bool(ticket.until)

    async def mind(self, turns=1):
        for _ in range(turns):
            for house, node in zip(self.houses, self.all, strict=True):
                await node.mind(policy(), await house.store.clock())

    async def stands(self):
        guard = await self.houses[0].ledger.run(Read(THE_BANK, Guard))
        count = guard.counts["sweep"]
        return count.wrong, count.flight, [lock.row for lock in guard.locks]


def played(place, story, number=NODES):
    async def play():
        async with AsyncExitStack() as stack:
            await story(await Nodes(place).begin(stack, number))
    asyncio.run(play())


def test_together_they_spend_all_of_it_and_nothing_more(place):
    async def story(nodes):
        while not any(node.purses and node.purses["sweep"].locks for node in nodes.all):
            await asyncio.gather(*(nodes.guess(node) for node in nodes.all for _ in range(40)))
            assert nodes.spent <= FIGURE
            await nodes.mind()
        await nodes.mind()
        assert nodes.spent == FIGURE
        assert await nodes.stands() == (FIGURE, 0, ["SWEEP"])
        assert not any([await nodes.guess(node) for node in nodes.all])
        assert [node.reached["sweep"] for node in nodes.all] == [1] * len(nodes.all)
    played(place, story, 1 if place.kind == "memory" else NODES)


def test_a_node_that_dies_takes_its_block_with_it(durable):
    """What it held counts as wrong once its lease has ended; the others never make up for it."""
    async def story(nodes):
        dead, *alive = nodes.all
        await nodes.guess(dead)
        held = dead.purses["sweep"].left
        assert held > 0
        nodes.all, nodes.houses = alive, nodes.houses[1:]
        while await nodes.guess(alive[0]):
            pass
        assert nodes.spent + held <= FIGURE
        durable.clock.wait(LEASE_S + 1)
        while await nodes.guess(alive[0]):
            pass
        await nodes.mind()
        assert nodes.spent + held <= FIGURE
        assert (await nodes.stands())[0] == nodes.spent + held == FIGURE
    played(durable, story)


def test_what_a_node_took_in_time_and_spends_too_late_is_not_spent(durable):
    """It was away for longer than its lease: what it held is lost to it."""
    async def story(nodes):
        (node,) = nodes.all
        await nodes.guess(node)
        ticket = await node.ticket([SWEEP])
        durable.clock.wait(LEASE_S + 1)
        assert ticket.until["sweep"] < await nodes.houses[0].store.clock()
        await nodes.mind()
        left = node.purses["sweep"].left
        node.close(ticket, [])
        assert node.purses["sweep"].left == left
    played(durable, story, 1)


def test_an_idle_node_gives_back_what_it_has(durable):
    async def story(nodes):
        await asyncio.gather(*(nodes.guess(node, wrong=False) for node in nodes.all))
        assert (await nodes.stands())[1] > 0
        await nodes.mind(IDLE_TURNS + 1)
        assert await nodes.stands() == (0, 0, [])
    played(durable, story)


def test_a_guess_that_is_settled_at_another_node_is_counted_once(durable):
    """One node reserved it, another heard that it was right: what the first gives up for wrong the other gives back."""
    async def story(nodes):
        (one, other), (house, elsewhere) = nodes.all, nodes.houses
        await house.enrol("customer:1")
        facts = await house.begin("procedure:1")
        await nodes.mind()
        for name, verdict in (("a", "right"), ("b", "wrong"), ("c", "unread")):
            await one.run(policy(), Reserve(house.subjects, facts, "password", OWNER, name))
            await elsewhere.settle(name, verdict)
            other.settled(name, ["sweep"], wrong=verdict == "wrong")
        for _ in range(6):
            durable.clock.wait(20)
            await nodes.mind(IDLE_TURNS + 1)
        assert await nodes.stands() == (1, 0, [])
    played(durable, story, 2)


def test_a_known_device_needs_no_guess_of_the_bank(durable):
    async def story(nodes):
        (node,), (house,) = nodes.all, nodes.houses
        while await nodes.guess(node):
            pass
        await nodes.mind()
        await house.ledger.run(Write({"customer:1": Guard(known=True, v=NEWEST, devices=[Device("home", 1, 1, 1 << 60)])}))
        for device, told in (("home", "wrong"), ("unheard of", "locked"), ("", "locked")):
            facts = await house.begin(f"procedure:{device}")
            facts.device = device
            assert outcome(await node.run(policy(), house.entry(facts, "wrong"))) == told
    played(durable, story, 1)


def test_the_ledger_is_asked_seldom():
    """A thousand entries, and a handful of commits."""
    async def story(nodes):
        (house,) = nodes.houses
        before = house.ledger.batches
        for _ in range(20):
            await asyncio.gather(*(nodes.guess(nodes.all[0], wrong=False) for _ in range(50)))
        assert house.ledger.batches - before <= 5
    played(Place("memory"), story, 1)



def test_whoever_comes_just_as_housekeeping_has_asked_for_nothing_asks_anew(place):
    """Its task has ended and brought no guess; the loop has not come round yet."""
    async def story(nodes):
        (node,) = nodes.all
        await nodes.guess(node)
        purse = node.purses["sweep"]
        purse.lose()
        purse.asking = ended = asyncio.get_running_loop().create_future()
        ended.set_result(None)
        assert await nodes.guess(node)
    played(place, story, 1)
