"""A small house to guess in: one node over one store, one policy, runs that the tests begin by hand."""

import asyncio
import contextlib
import itertools
from types import SimpleNamespace

from play import START

from sekisho.adapters.batching import BatchedLedger
from sekisho.core.state import IN_FORCE, SECOND, Guard, InForce, Procedure, Reservation, Session, decode, encode
from sekisho.flows import tick
from sekisho.flows.attempt import FastAttempt, Reserve, Reserved, Settle
from sekisho.flows.replay import Replay
from sekisho.flows.subjects import Facts, Subjects
from sekisho.flows.waiting import Waiting
from sekisho.ports import Change
from sekisho.terms import Verdict

KEY = b"k" * 32
OWNER = "key:1"
VERDICTS = {"right": Verdict.RIGHT, "wrong": Verdict.WRONG, "unread": Verdict.UNREAD}


class Clock:
    """Time that moves when it is told to, and a microsecond at each look."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        self.now += 1
        return self.now

    def wait(self, seconds):
        self.now += int(seconds * SECOND)


class Write:
    """Put rows as they are."""

    def __init__(self, rows, due=None):
        self.rows = rows
        self.keys = tuple(rows)
        self.due = due

    def decide(self, tx):
        for key, row in self.rows.items():
            if row is None:
                tx.drop(key)
            else:
                tx.put(key, row, self.due)


class Read:
    """Look at one row."""

    def __init__(self, key, kind):
        self.keys = (key,)
        self.kind = kind

    def decide(self, tx):
        return tx.get(self.keys[0], self.kind)


class House:
    """One node. `table` is in force from the beginning of time unless the store already names another."""

    fast, reserving, settling = FastAttempt, Reserve, Settle

    def __init__(self, store, table, **options):
        self.store = store
        self.table = table
        self.subjects = Subjects(b"s" * 32)
        self.ledger = BatchedLedger(store, KEY, {table.version: table}, **options)
        self._numbers = itertools.count(1)

    async def __aenter__(self):
        opened = await self.store.begin([IN_FORCE])
        if IN_FORCE in opened.rows:
            await self.store.rollback()
        else:
            await self.store.commit(Change([(IN_FORCE, encode(InForce(versions=[(0, self.table.version)])), None)], None, []))
        await self.ledger.start()
        return self

    async def __aexit__(self, *_):
        await self.ledger.stop()

    async def enrol(self, *subjects):
        await self.ledger.run(Write({subject: Guard(known=True) for subject in subjects}))

    async def session(self, key, subject):
        await self.ledger.run(Write({key: Session(subject=subject, owner=OWNER, started=await self.store.clock(), seen=1 << 60)}))

    async def begin(self, run, operation="login", customer="customer:1", session=None):
        """Put a run on record; what an entry needs to know of it."""
        subjects = {"customer": customer}
        facts = Facts(run, operation, subjects, session, OWNER)
        await self.ledger.run(Write({run: Procedure(
            operation=operation, digest=self.table.operations[operation].digest, subjects=subjects, owner=OWNER, session=session,
            led=True, started=await self.store.clock() + 1, expires=1 << 62,
        )}))
        return facts

    def entry(self, facts, verdict, item="password", replay=None):
        """One entry in the fast lane, as a work for the ledger."""
        return self.fast(self.subjects, facts, item, OWNER, "opened", lambda *_: VERDICTS[verdict], replay=replay)

    async def enter(self, facts, verdict, item="password", replay=None):
        """What is told for one entry in the fast lane."""
        return outcome(await self.ledger.run(self.entry(facts, verdict, item, replay)))

    async def reserve(self, facts, item="password", name=None, replay=None, **begin):
        """Take a guess: the reservation's name, or what was told."""
        name = name or f"{id(self)}-{next(self._numbers)}"
        told = await self.ledger.run(self.reserving(self.subjects, facts, item, OWNER, name, replay=replay, **begin))
        return (name, "granted") if isinstance(told, Reserved) else (name, outcome(told))

    async def settle(self, name, verdict, replay=None, *, overdue=False):
        """Give a reservation its verdict: what is told."""
        taken = decode((await self.store.peek([f"reservation:{name}"]))[f"reservation:{name}"], Reservation)
        work = self.settling(self.subjects, name, taken, VERDICTS[verdict], OWNER, "opened", replay=replay, overdue=overdue)
        return outcome(await self.ledger.run(work))

    async def slow(self, facts, verdict, item="password", *, tries=1000, compare=None):
        """The slow lane: reserve, compare, settle; refused `busy`, ask again when somebody has settled."""
        for _ in range(tries):
            name, told = await self.reserve(facts, item)
            if told != "busy":
                break
            await asyncio.sleep(0)
        if told != "granted":
            return told
        await (compare() if compare else asyncio.sleep(0))
        return await self.settle(name, verdict)

    async def pass_time(self, store=None):
        """What is done now and then: guesses without a verdict, rows that nobody needs any more."""
        await tick.pass_time(self.ledger, store or self.store, self.subjects, SimpleNamespace(waiting=Waiting(), refusals={}))

    async def count(self, key, counter="c", kind=Guard):
        """(wrong, in flight) of a counter."""
        row = await self.ledger.run(Read(key, kind))
        count = row.counts.get(counter) if row else None
        return (0, 0) if count is None else (count.wrong, count.flight)

    async def locks(self, key):
        """Rows of the locks on a subject."""
        guard = await self.ledger.run(Read(key, Guard))
        return [lock.row for lock in guard.locks]

    def replay(self, sent, body=b"body"):
        return Replay(b"r" * 32, "key:1/v1/reservations", sent, body)


def outcome(told):
    """One word for what was told."""
    if hasattr(told, "why"):
        return str(told.why)
    if hasattr(told, "outcome"):
        return "refused, again" if told.again else str(told.outcome)
    return type(told).__name__.lower()


@contextlib.contextmanager
def expecting(error):
    """Whatever is done here must be answered with no."""
    try:
        yield
    except error:
        return
    raise AssertionError(f"it was not answered with {error.__name__}")
