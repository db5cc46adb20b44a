"""The durable ledger that all nodes share, with the locks of its rows, and one node's connection to it.

It is as a database server seen over a network: what a node asks takes time to arrive and its answer takes time to come
back; a commit that was sent goes on whether or not anybody waits for it; a connection that was cut is noticed some time
later, and until then keeps its locks. `Weather` says how much of that goes wrong.
"""

import asyncio
from contextvars import Context
from typing import NamedTuple

from play import START

from sekisho.core.state import IN_FORCE, SECOND
from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.ports import Opened

LOCK_WAIT_S = 3.0
"""How long a patient one waits for a row before the answer is no."""

KEPT = ("procedure:", "session:", "reservation:")
"""Rows of which every version is remembered for the judge."""


class Weather(NamedTuple):
    """How likely each fault is, of one question asked."""

    no_begin: float = 0.0
    no_commit: float = 0.0
    lost: float = 0.0
    """The answer to a commit is lost; the seed says whether it stands."""
    slow: float = 0.0
    """An answer takes seconds."""


FAIR = Weather()


class Transaction:
    """What the server knows of one: whose it is, the rows it holds, and what it was told to decide by."""

    def __init__(self, owner):
        self.owner = owner
        self.held = []
        self.now = 0
        self.ahead_us = 0
        self.in_force = b""


class SharedLedger:
    """The server."""

    def __init__(self, loop, chance, note):
        self.loop = loop
        self.chance = chance
        self.note = note
        self.weather = FAIR
        self.ahead_us = 0
        """How far the server's clock is from where it would be had nobody touched it."""
        self.rows = {}
        self.due = {}
        self.at = {}
        """The newest time a row was decided at."""
        self.chains = {}
        self.links = []
        """All of them, in the order in which they were committed."""
        self.fed = []
        self.documents = {}
        self.versions = []
        """(key, body, due) of every version of the rows in `KEPT`."""
        self.decided_by = {}
        """(writer, first) of each link: the transaction it was committed in."""
        self._holder = {}
        self._waiting = {}

    def true_clock(self):
        return START + int(self.loop.time() * SECOND)

    def clock(self):
        return self.true_clock() + self.ahead_us

    # Locks.

    def try_lock(self, key, transaction):
        if self._holder.setdefault(key, transaction) is not transaction:
            return False
        transaction.held.append(key)
        return True

    async def lock(self, key, transaction):
        while not self.try_lock(key, transaction):
            free = self.loop.create_future()
            self._waiting.setdefault(key, []).append(free)
            await free

    def let_go(self, transaction):
        for key in transaction.held:
            if self._holder.get(key) is transaction:
                del self._holder[key]
            for free in self._waiting.pop(key, ()):
                if not free.done():
                    free.set_result(None)
        transaction.held = []

    def cut(self, transaction):
        """A connection is gone: noticed some time later, and all it had not sent is undone."""
        self.later(self.chance.choice([0.0, 0.1, 2.0]), self.let_go, transaction)

    def later(self, delay_s, function, *args):
        """On the server, whoever lives or dies meanwhile."""
        self.loop.call_later(delay_s, function, *args, context=Context())

    # What a transaction reads and writes.

    def open(self, transaction, keys, last):
        transaction.now = max(self.clock(), last + 1, *(self.at.get(key, 0) + 1 for key in transaction.held), 0)
        transaction.ahead_us = self.ahead_us
        if transaction.owner is not None and transaction.owner.began_us is None:
            transaction.owner.began_us = self.ahead_us
        transaction.in_force = self.rows.get(IN_FORCE, b"")
        return Opened(transaction.now, {key: self.rows[key] for key in keys if key in self.rows}, clock=self.clock())

    def apply(self, transaction, change):
        for key, body, due in change.rows:
            self._write(key, body, due)
            self.at[key] = max(change.at, transaction.now)
        for key in transaction.held:
            self.at[key] = max(self.at.get(key, 0), change.at)
        if change.link is not None:
            self.chains.setdefault(change.link.writer, []).append(change.link)
            self.links.append(change.link)
            self.decided_by[change.link.writer, change.link.first] = transaction
        self.fed += change.feed
        self.let_go(transaction)

    def _write(self, key, body, due):
        if body is None:
            self.rows.pop(key, None)
            self.due.pop(key, None)
            return
        self.rows[key] = body
        if due is not None:
            self.due[key] = due
        if key.startswith(KEPT):
            self.versions.append((key, body, self.due.get(key)))


class SimStore:
    """One connection of one node. `owner` is that node; a connection of a dead one tells nothing and does nothing."""

    clock_is_ours = False

    def __init__(self, shared, owner=None):
        self.shared = shared
        self.owner = owner
        self.open = None
        self._last = 0

    async def begin(self, keys, seen=(), *, patient=True):
        await self._trip()
        self._perhaps(self.shared.weather.no_begin, "nothing was begun")
        transaction = self.open = Transaction(self.owner)
        skipped = await self._take(transaction, keys, patient)
        opened = self.shared.open(transaction, [key for key in (*keys, *seen) if key not in skipped], self._last)
        opened.skipped = skipped
        self._last = opened.now
        await self._trip()
        return opened

    async def _take(self, transaction, keys, patient):
        """The rows' locks, in key order; of those that others hold, the ones that nobody may wait for."""
        if not patient:
            return frozenset(key for key in keys if not self.shared.try_lock(key, transaction))
        try:
            async with asyncio.timeout(LOCK_WAIT_S):
                for key in keys:
                    await self.shared.lock(key, transaction)
        except TimeoutError:
            await self.rollback()
            raise LedgerUnavailable from None
        return frozenset()

    async def commit(self, change):
        transaction = self.open
        await self._trip()
        self.open = None
        self._last = max(self._last, change.at)
        shared, weather = self.shared, self.shared.weather
        luck, delay_s = shared.chance.random(), shared.chance.uniform(0, 0.02)
        if luck < weather.no_commit:
            shared.let_go(transaction)
            raise LedgerUnavailable
        if luck < weather.no_commit + weather.lost:
            await self._lose(transaction, change)
        done = shared.loop.create_future()
        shared.later(delay_s, self._carry_out, transaction, change, done)
        await done
        await self._trip()

    @staticmethod
    def _answer(done):
        if not done.done():
            done.set_result(None)

    def _carry_out(self, transaction, change, done):
        self.shared.apply(transaction, change)
        self._answer(done)

    async def _lose(self, transaction, change):
        """The answer is lost: before or after that the commit came to stand, or it never does."""
        shared = self.shared
        stands = shared.chance.random() < 0.5
        shared.note(f"{self.owner}: the answer to a commit is lost; it {'stands' if stands else 'does not stand'}")
        delay_s = shared.chance.choice([0.0, 0.01, 1.0])
        if stands:
            shared.later(delay_s, shared.apply, transaction, change)
        else:
            shared.later(delay_s, shared.let_go, transaction)
        await asyncio.sleep(shared.chance.choice([0.0, 0.01, 1.0]))
        raise UnknownFate

    async def rollback(self):
        if self.open is not None and self._lives():
            self.shared.let_go(self.open)
        self.open = None

    def cut(self):
        """The node has died."""
        if self.open is not None:
            self.shared.cut(self.open)

    def _lives(self):
        return self.owner is None or self.owner.alive

    async def _trip(self):
        """To the server or back. Whoever dies on the way asks nothing more."""
        chance = self.shared.chance
        if self.shared.weather is not FAIR:
            slow = chance.random() < self.shared.weather.slow
            await asyncio.sleep(chance.uniform(1, 4) if slow else chance.choice([0, 0, 0.001, 0.004]))
        if not self._lives():
            raise LedgerUnavailable

    def _perhaps(self, likely, text):
        if self.shared.chance.random() < likely:
            raise LedgerUnavailable(text)

    async def peek(self, keys):
        await self._trip()
        return {key: self.shared.rows[key] for key in keys if key in self.shared.rows}

    async def due(self, prefix, now, limit):
        await self._trip()
        found = sorted((at, key) for key, at in self.shared.due.items() if at <= now and key.startswith(prefix))
        return [key for _, key in found[:limit]]

    async def link(self, writer, sequence):
        await self._trip()
        return next((link for link in self.shared.chains.get(writer, []) if link.first <= sequence < link.first + link.number), None)

    async def chain(self, writer, after, limit):
        return [link for link in self.shared.chains.get(writer, []) if link.first > after][:limit]

    async def feed(self, after, limit):
        return [(after + n + 1, body) for n, (_, body) in enumerate(self.shared.fed[after:after + limit])]

    async def writers(self):
        return sorted(self.shared.chains)

    async def new_writer(self, name):
        await self._trip()
        self._perhaps(self.shared.weather.no_begin, name)
        number = len(self.shared.chains) + 1
        self.shared.chains[number] = []
        return number

    async def document(self, kind, name):
        await self._trip()
        return self.shared.documents.get((kind, name))

    async def documents(self, kind):
        return sorted(name for found, name in self.shared.documents if found == kind)

    async def keep_document(self, kind, name, body):
        await self._trip()
        self.shared.documents.setdefault((kind, name), body)

    async def clock(self):
        await self._trip()
        return max(self.shared.clock(), self._last)

    async def close(self):
        """Nothing to let go of."""
