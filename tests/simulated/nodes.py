"""One node: a real ledger and real flows over its own connections to the shared one. It may die before any of its turns."""

import asyncio
from contextvars import copy_context

from house import KEY
from shared import SimStore
from turns import WHOSE

from sekisho.adapters.batching import BatchedLedger
from sekisho.adapters.watch import ClockWatch
from sekisho.errors import LedgerUnavailable, SekishoError
from sekisho.flows import clock, tick
from sekisho.flows.count_mode import CountMode
from sekisho.flows.desk import Desk
from sekisho.flows.entries import Entries
from sekisho.flows.policies import Note, load_tables
from sekisho.flows.releases import Releases
from sekisho.flows.runs import Runs
from sekisho.flows.sessions import Sessions
from sekisho.flows.subjects import Subjects

TICK_S = 0.5


class CutOff(Exception):
    """The node died before it answered."""


class SaysItself:
    """Secrets that need no keeping: the proof says itself whether it is right."""

    def matches(self, record, kind, proof):
        return proof == "right"

    def used(self, record, code, now_s, *, resync=False):
        return None

    def is_adopted(self, record):
        return False


class Node:
    """A process. `fuse`: how many turns it has left to live; None: as long as it likes."""

    store_kind = SimStore
    ledger_kind = BatchedLedger
    entries_kind = Entries
    watch_kind = ClockWatch

    def __init__(self, name, shared, chance, fuse=None):
        self.name = name
        self.alive = True
        self.fuse = fuse
        self.shared = shared
        self.set_alike = chance.random() < 0.3
        self.asked = {}
        self.context = copy_context()
        self.context.run(WHOSE.set, self)
        self.stores = [self.store_kind(shared, self) for _ in range(3)]
        self.store, second, contended = self.stores
        self.tables = {}
        self.in_force = None
        self.subjects = Subjects(b"s" * 32)
        self.began_us = None
        """How far the ledger's clock was ahead when this node first saw it."""
        self.watch = self.watch_kind(asyncio.get_running_loop().time)
        self.ledger = self.ledger_kind(
            self.store, KEY, self.tables, beside=[second] if chance.random() < 0.5 else [],
            contended=contended if chance.random() < 0.7 else None, watch=self.watch, batch_max=chance.choice([1, 3, 64]), name=name,
        )
        self.runs = Runs(self.ledger, self.store, self.subjects)
        self.entries = self.entries_kind(self.runs, self.ledger, self.store, SaysItself(), None, signer=None)
        self.count_mode = CountMode(self.runs, self.entries, self.store)
        self.sessions = Sessions(self.ledger, self.store)
        self.releases = Releases(self.ledger, self.store, self.subjects)
        self.desk = Desk(self.ledger, self.store, self.subjects, SaysItself(), None)
        self.ready = self._own_task(self._start())

    def __str__(self):
        return self.name

    async def _start(self):
        """A node that cannot start ends; whoever runs it starts another."""
        for lane in self.ledger._lanes:
            lane.queue._clock = asyncio.get_running_loop().time
        try:
            self.in_force = await load_tables(self.store, self.tables)
            await self.ledger.start()
        except SekishoError:
            self.die()
        self._own_task(self._ticking())

    async def _ticking(self):
        while True:
            await asyncio.sleep(TICK_S)
            await self._survive(clock.mind(self.ledger, self.store, self.watch, self.wall))
            await self._survive(self._follow_policy())
            if not self.watch.doubting:
                await self._survive(self.pass_time())

    async def _survive(self, turn):
        try:
            await turn
        except SekishoError:
            return

    async def pass_time(self):
        await tick.pass_time(self.ledger, self.store, self.subjects, self.entries)

    async def _follow_policy(self):
        self.in_force = await load_tables(self.store, self.tables)
        if any(version not in self.in_force.told for _, version in self.in_force.versions):
            await self.ledger.run(Note())

    def wall(self):
        """What this machine believes the time is: set with the ledger's, or not."""
        return self.shared.true_clock() + (self.shared.ahead_us if self.set_alike else 0)

    @property
    def table(self):
        """The policy in force by this node's clock; what decides is read again in every batch."""
        table = self.tables.get(self.in_force.at(self.shared.clock()))
        if table is None:
            raise LedgerUnavailable
        return table

    # Asked from outside.

    async def ask(self, question):
        """What the node answers to `question(node)`; whoever asks hears nothing when it dies first."""
        answer = asyncio.get_running_loop().create_future()
        if not self.alive:
            raise CutOff
        self.asked[answer] = question
        task = self._own_task(self._answered(question))
        task.add_done_callback(lambda done: _pass_on(done, answer))
        try:
            return await answer
        finally:
            del self.asked[answer]

    async def _answered(self, question):
        await self.ready
        return await question(self)

    def _own_task(self, coroutine):
        return asyncio.get_running_loop().create_task(coroutine, context=self.context.copy())

    # Life and death.

    def may_go_on(self):
        if self.alive and self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.die()
        return self.alive

    def die(self):
        """Now, between two turns: what it committed stands, what it did not does not."""
        self.alive = False
        self.shared.note(f"{self} dies")
        for store in self.stores:
            store.cut()
        for answer in list(self.asked):
            if not answer.done():
                answer.set_exception(CutOff())


def _pass_on(done, answer):
    if answer.done() or done.cancelled():
        return
    if done.exception() is None:
        answer.set_result(done.result())
    else:
        answer.set_exception(done.exception())
