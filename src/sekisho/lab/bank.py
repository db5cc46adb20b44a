"""A bank to play in: one node of the real service over a ledger of its own, whose clock is the player's.

The players compare by themselves, as a bank in count mode does: a guess is taken, then it gets its verdict. All that is counted,
locked and lifted is decided by the flows over the ledger; nothing here knows what an entry costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sekisho.app import App, apart
from sekisho.core import attempt as core
from sekisho.core import procedure as run_of
from sekisho.core import release, stop, takeover
from sekisho.core.state import NEWEST, SECOND, Addresses, Device, Guard, Lock, Procedure, Session, decode, encode
from sekisho.flows import addresses, tick
from sekisho.flows.addresses import Enrolled
from sekisho.flows.answers import Answer, Refused
from sekisho.flows.attempt import FOREIGN, Reserve, Reserved, Told, record
from sekisho.flows.challenges import Sent
from sekisho.flows.subjects import Facts
from sekisho.policy.table import ABOUT, Operation, Table
from sekisho.ports import Tx
from sekisho.proof.board import FOREVER, START
from sekisho.proof.seats import PERSONAL, Seat
from sekisho.terms import AddressState, Outcome, Reach, State, Verdict, Way

OWNER = "lab"
"""The API key under which the lab calls."""

REACHED = {Way.MAIL: "customer@example.com", Way.TELEPHONE: "+81 80-0000-0000"}
"""Where customers are reached; nothing is read there."""


class Customer:
    """Somebody whom the bank knows.

    Args:
        name: as it stands in his subjects' names.
        flags: marks that the bank has set on him.
        devices: by their names, those from which he is known.

    """

    def __init__(self, name: str, flags: Iterable[str] = (), devices: Sequence[str] = ()) -> None:
        self.name = name
        self.flags = tuple(flags)
        self.devices = tuple(devices)
        self.subjects = {reach.value: f"{reach}:{name}" for reach in PERSONAL}
        self.session: tuple[str, int] | None = None
        """The newest session that anybody has of his, and since when."""

    def guards(self, called: Callable[[str], str]) -> dict[str, Guard]:
        """His rows as the bank enrols him. `called`: what the service calls a device."""
        rows = {key: Guard(known=True) for key in self.subjects.values()}
        rows[self.subjects[Reach.CUSTOMER]].flags = sorted(self.flags)
        for row in rows.values() if self.devices else ():
            row.v, row.devices = NEWEST, [Device(called(name), place, START, FOREVER) for place, name in enumerate(self.devices, 1)]
        return rows


class Put:
    """Put rows on record as they are."""

    def __init__(self, rows: Mapping[str, Guard | Addresses]) -> None:
        self.rows = rows
        self.keys = list(rows)

    def decide(self, tx: Tx) -> None:
        """All at once."""
        for key, row in self.rows.items():
            tx.put(key, row)


class _Drop:
    """Forget runs and reservations that nobody will ask for again."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys

    def decide(self, tx: Tx) -> None:
        for key in self.keys:
            tx.drop(key)


class _Open:
    """Begin a run that goes from step to step."""

    def __init__(self, app: App, facts: Facts, run: Procedure) -> None:
        self._app, self._facts, self._run = app, facts, run
        self.keys = app.subjects.keys(facts)

    def decide(self, tx: Tx) -> tuple[str, ...]:
        """What the run asks for first."""
        operation = tx.table.operations[self._facts.operation]
        run = decode(encode(self._run), Procedure)
        run.digest, run.started, run.expires = operation.digest, tx.now, tx.now + operation.life_s * SECOND
        scene = self._app.subjects.scene(tx, self._facts, operation, run)
        run_of.skip_met_steps(scene)
        tx.put(self._facts.key, run, due=run.expires)
        record(tx, scene)
        return run_of.awaited(scene)


class _Look:
    """What closes entries of some items of an operation now. Changes nothing."""

    def __init__(self, app: App, facts: Facts, seats: Sequence[Seat]) -> None:
        self._app, self._facts, self._seats = app, facts, seats
        self.keys = app.subjects.keys(facts)

    def decide(self, tx: Tx) -> list[bool]:
        """Of each, whether one would be looked at."""
        return [self._is_open(tx, seat) for seat in self._seats]

    def _is_open(self, tx: Tx, seat: Seat) -> bool:
        operation = tx.table.operations[seat.operation]
        run = Procedure(operation=operation.name, digest=operation.digest, led=True, started=tx.now + 1, expires=FOREVER)
        scene = self._app.subjects.scene(tx, self._facts, operation, run)
        scene.ticket = dict.fromkeys((counter.name for rows in tx.table.bank.values() for counter in rows), FOREVER)
        return scene.row_of(seat.item) is seat.row and core.closed(scene, seat.item) is None


class _Lift:
    """The bank carries out a way back: all locks of one customer's that it lifts."""

    def __init__(self, customer: Customer, path: str) -> None:
        self._path = path
        self.keys = list(customer.subjects.values())

    def decide(self, tx: Tx) -> list[str]:
        """The rows of the locks that are gone."""
        rows = {key: tx.get(key, Guard) or Guard(known=True) for key in self.keys}
        gone = []
        for key, guard in rows.items():
            for lock in release.by_path(guard.locks, self._path):
                release.lift(key, guard, lock, rows, tx.table, tx.tell, path=self._path, operator=OWNER)
                gone.append(lock.row)
        way = tx.table.paths[self._path]
        own = rows[self.keys[0]]
        own.flags = sorted((set(own.flags) | set(way.sets)) - set(way.clears))
        for key, guard in rows.items():
            tx.put(key, guard)
        return gone


class _Stop:
    """The customer asks for the emergency stop, and is known."""

    def __init__(self, customer: Customer) -> None:
        self.keys = [customer.subjects[Reach.CUSTOMER]]

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        guard = tx.get(key, Guard) or Guard(known=True)
        _, events = stop.stop(key, guard, None, tx.table, tx.now, known=True)
        tx.put(key, guard)
        for event in events:
            tx.tell(event)


class _TakeOver:
    """The bank takes over a lock that another system has left."""

    def __init__(self, key: str, row: str) -> None:
        self.keys = [key]
        self._row = row

    def decide(self, tx: Tx) -> bool:
        key = self.keys[0]
        guard = tx.get(key, Guard) or Guard(known=True)
        found = takeover.legacy(tx.table, self._row, key.partition(":")[0])
        if found is None:
            return False
        takeover.set_legacy(key, guard, self._row, found, tx.now, tx.now)
        tx.put(key, guard)
        return True


class _ReadGuards:
    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys

    def decide(self, tx: Tx) -> dict[str, Guard]:
        return {key: guard for key in self.keys if (guard := tx.get(key, Guard)) is not None}


class Visitor(NamedTuple):
    """Whoever makes an entry, as the bank sees him."""

    actor: str
    device: str = ""
    """As the service calls a device; empty: one that says nothing of itself."""
    stays: str = ""
    """He goes on in one run and session until a penalty ends them; empty: each of his entries is made in new ones."""


class Bank:
    """One node and its customers.

    Args:
        app: the node.
        table: the policy in force.

    """

    def __init__(self, app: App, table: Table, time: Time) -> None:
        self.app = app
        self.table = table
        self.entries = 0
        """Entries that were looked at."""
        self.asked = 0
        """Entries that were made, looked at or not."""
        self._time = time
        self._numbers = itertools.count(1)
        self._stale: list[str] = []
        self._visits: dict[str, str] = {}
        """By whoever stays: his session."""

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, table: Table, *, seed: object = 0, sqlite: bool = False) -> AsyncIterator[Bank]:
        """A bank that is open for as long as it is played in; its ledger is in memory, or in a SQLite file that is gone afterwards."""
        time = Time()
        with tempfile.TemporaryDirectory() as folder:
            app = await apart(table, time, str(seed), Path(folder) / "ledger.db" if sqlite else None)
            async with app.working():
                yield cls(app, table, time)

    # Time.

    @property
    def now(self) -> int:
        """The ledger's time, microseconds."""
        return self._time.now

    async def wait(self, seconds: float) -> None:
        """Let time pass, and everything fall due that does."""
        self._time.now += int(seconds * SECOND)
        stale, self._stale = self._stale, []
        for start in range(0, len(stale), 1_000):
            await self.app.ledger.run(_Drop(stale[start:start + 1_000]))
        await tick.pass_time(self.app.ledger, self.app.store, self.app.subjects, self.app.entries)
        await self.app.mind_ceilings()

    # Customers.

    async def enrol(self, *customers: Customer) -> None:
        """Have the bank know some customers."""
        await asyncio.gather(*(self.app.ledger.run(Put(customer.guards(self.app.subjects.devices.read))) for customer in customers))

    async def guards(self, customer: Customer) -> dict[str, Guard]:
        """His rows as they stand."""
        return await self.app.ledger.run(_ReadGuards(list(customer.subjects.values())))

    async def locks(self, customer: Customer) -> list[tuple[str, Lock]]:
        """Every lock that stands on him, with the key of its row."""
        return [(key, lock) for key, guard in (await self.guards(customer)).items() for lock in guard.locks if lock.stands(self.now)]

    async def flags(self, customer: Customer) -> frozenset[str]:
        """The marks on him."""
        return frozenset((await self.guards(customer))[customer.subjects[Reach.CUSTOMER]].flags)

    async def next_change(self, customer: Customer) -> int | None:
        """When time alone changes something for him next, microseconds."""
        times = [at for guard in (await self.guards(customer)).values() for at in _changes(guard, self.table)]
        return min((at for at in times if at > self.now), default=None)

    async def lift(self, customer: Customer, path: str) -> list[str]:
        """The bank carries out a way back; the rows of the locks that are gone."""
        return await self.app.ledger.run(_Lift(customer, path))

    async def stop(self, customer: Customer) -> None:
        """The customer has everything stopped."""
        await self.app.ledger.run(_Stop(customer))

    async def take_over(self, customer: Customer, row: str) -> bool:
        """A lock of some row from another system stands on him; False: such a row leaves none."""
        return any([await self.app.ledger.run(_TakeOver(key, row)) for key in customer.subjects.values()])

    # Entries.

    def somebody(self, device: str = "", *, stays: bool = False) -> Visitor:
        """Somebody whom nobody has seen before."""
        number = next(self._numbers)
        return Visitor(f"actor:{number}", self.app.subjects.devices.read(device) if device else "", f"{number}" if stays else "")

    async def admits(self, customer: Customer, seats: Sequence[Seat], visitor: Visitor | None = None) -> list[bool]:
        """Of each row, whether an entry would be looked at now."""
        found = []
        for seat in seats:
            facts = self._facts("procedure:~look", customer, seat.operation, None, visitor or self.somebody(), about=seat.about)
            (is_open,) = await self.app.ledger.run(_Look(self.app, facts, [seat]))
            found.append(is_open)
        return found

    async def enter(self, customer: Customer, seat: Seat, verdict: Verdict, visitor: Visitor | None = None) -> Outcome | None:
        """One entry: take a guess, give it its verdict. None: it was not looked at.

        Args:
            customer: whose item it is.
            seat: where it is entered.
            verdict: what comparing it would say.
            visitor: who enters it; None: somebody new.

        """
        held = await self.reserve(customer, seat, visitor)
        return None if held is None else await self.settle(held, verdict)

    async def reserve(self, customer: Customer, seat: Seat, visitor: Visitor | None = None) -> str | None:
        """Take a guess; None: there is none to be had."""
        self.asked += 1
        visitor = visitor or self.somebody()
        session = await self._session_for(customer, self.table.operations[seat.operation], visitor, about=seat.about)
        if session == "":
            return None
        key = f"procedure:~{visitor.stays}/{seat.operation}" if visitor.stays else f"procedure:~{next(self._numbers)}"
        facts = self._facts(key, customer, seat.operation, session, visitor, about=seat.about)
        begin = Procedure(operation=seat.operation, subjects=facts.subjects, owner=OWNER, session=session, led=True, device=visitor.device)
        opened = None if session is None else Session(subject=facts.subjects[Reach.CUSTOMER], owner=OWNER, foreign=True, name=session)
        return await self._take(facts, seat.item, begin, opened)

    async def _take(self, facts: Facts, item: str, begin: Procedure | None = None, session: Session | None = None) -> str | None:
        name = f"lab-{next(self._numbers)}"
        work = Reserve(self.app.subjects, facts, item, OWNER, name, begin=begin, session=session)
        told = await self.app.entries.patiently(self.table, work)
        if begin is not None and self._passes(facts.key):
            self._stale.append(facts.key)
        if not isinstance(told, Reserved):
            if isinstance(told, Refused):
                self.app.entries.noted(told)
            return None
        self.entries += 1
        self._stale.append(f"reservation:{name}")
        return name

    # Codes that this service sends and compares.

    async def reach(self, customer: Customer) -> None:
        """The customer can be reached by mail and by telephone, and has been for long."""
        told = [Enrolled(kind=way, to=to, state=AddressState.CONFIRMED) for way, to in REACHED.items()]
        books = {
            addresses.addresses_key(key): addresses.on_file(None, key, told, self.app.codes, 0) for key in customer.subjects.values()
        }
        await self.app.ledger.run(Put(books))

    async def open_run(self, customer: Customer, seat: Seat) -> str | None:
        """A run of the bank's in which codes can be sent; None: there is none to be had."""
        visitor = self.somebody()
        session = await self._session_for(customer, self.table.operations[seat.operation], visitor, about=seat.about)
        if session == "":
            return None
        name = f"lab-{next(self._numbers)}"
        facts = self._facts(f"procedure:{name}", customer, seat.operation, session, visitor, about=seat.about)
        if session is not None:
            await self._begin_session(session, facts)
        run = Procedure(operation=seat.operation, subjects=facts.subjects, owner=OWNER, session=session, led=True)
        await self.app.ledger.run(_Open(self.app, facts, run))
        self._stale.append(facts.key)
        return name

    async def send(self, run: str, item: str) -> bool:
        """Have a code sent, or sent again; whether one was."""
        return isinstance(await self.app.challenges.send(self.table, OWNER, run, item, None, "en"), Sent)

    async def answer(self, run: str, item: str, code: str) -> Outcome | None:
        """Enter a code; None: it was not looked at."""
        self.asked += 1
        told = await self.app.entries.enter(self.table, OWNER, run, item, code)
        self.entries += isinstance(told, Answer)
        return told.outcome if isinstance(told, Answer) else None

    async def settle(self, held: str, verdict: Verdict) -> Outcome | None:
        """The verdict on a guess that was taken."""
        told = await self.app.entries.settle(held, verdict, OWNER, None)
        return told.outcome if isinstance(told, Answer) else None

    @staticmethod
    def _passes(run: str) -> bool:
        """Whether a run was for one entry alone."""
        return "/" not in run

    async def _session_for(self, customer: Customer, operation: Operation, visitor: Visitor, *, about: bool) -> str | None:
        """A session in which an operation can be entered; None: it needs none; empty: there is none to be had."""
        if not operation.session:
            return None
        if visitor.stays and await self._lives(visiting := self._visits.get(visitor.stays, "")):
            return visiting
        fresh = f"{FOREIGN}{next(self._numbers)}"
        if visitor.stays:
            self._visits[visitor.stays] = fresh
        if about:
            return fresh
        if await self.may_log_in(customer, visitor):
            customer.session = fresh, self.now
        if customer.session is None:
            return ""
        name, since = customer.session
        return name if self.now < since + self.table.timing.session_total_s * SECOND else ""

    async def _lives(self, session: str) -> bool:
        body = (await self.app.store.peek([session])).get(session)
        return body is not None and decode(body, Session).live

    async def may_log_in(self, customer: Customer, visitor: Visitor) -> bool:
        """Whether whoever has all that a login asks for could open a session now."""
        if not await self.locks(customer):
            return True
        logins = [operation for operation in self.table.operations.values() if operation.gives_session]
        if not logins:
            return True
        flags = await self.flags(customer)
        return any([await self._goes_through(customer, operation, flags, visitor) for operation in logins])

    async def _goes_through(self, customer: Customer, operation: Operation, flags: frozenset[str], visitor: Visitor) -> bool:
        for step in operation.steps:
            if all((condition.flag in flags) is condition.holds for condition in step.when if not condition.about):
                seats = [Seat(operation.name, item, row) for item in step.items for row in operation.rows.get(item, ())]
                if not any(await self.admits(customer, seats, visitor)):
                    return False
        return True

    # Runs.

    async def walk(
        self, customer: Customer, operation: str, may: Iterable[str], visitor: Visitor | None = None, *, about: bool = False,
    ) -> tuple[State, list[str]]:
        """Go through an operation with right entries of what may be entered: how it ended, and what it asked for last."""
        found = self.table.operations[operation]
        visitor, may = visitor or self.somebody(), set(may)
        session = await self._session_for(customer, found, visitor, about=about)
        if session == "":
            return State.ENDED, []
        facts = self._facts(f"procedure:{next(self._numbers)}", customer, operation, session, visitor, about=about)
        run = Procedure(operation=operation, subjects=facts.subjects, owner=OWNER, session=session, device=visitor.device)
        if session is not None:
            await self._begin_session(session, facts)
        asked = await self.app.ledger.run(_Open(self.app, facts, run))
        while asked:
            told = await self._right(facts, [item for item in asked if item in may])
            if told is None:
                return State.OPEN, list(asked)
            if told.state is not State.OPEN:
                return told.state, list(asked)
            asked = tuple(item for item, _ in told.next)
        return State.OPEN, []

    async def _begin_session(self, key: str, facts: Facts) -> None:
        await self.app.ledger.run(_OpenSession(key, facts))

    async def _right(self, facts: Facts, items: Sequence[str]) -> Answer | None:
        """The first of some items that is looked at, entered rightly."""
        for item in items:
            held = await self._take(facts, item)
            if held is not None:
                told: Told = await self.app.entries.settle(held, Verdict.RIGHT, OWNER, None)
                if isinstance(told, Answer) and told.outcome is Outcome.RIGHT:
                    return told
        return None

    def _facts(self, key: str, customer: Customer, operation: str, session: str | None, visitor: Visitor, *, about: bool) -> Facts:
        subjects = dict(customer.subjects)
        if about:
            subjects = {f"{ABOUT}{reach}": subject for reach, subject in subjects.items()}
            subjects |= {reach.value: f"{reach}:other-{key.partition(':')[2]}" for reach in PERSONAL}
        subjects |= {Reach.ACTOR.value: visitor.actor, Reach.CALLER.value: visitor.actor.replace("actor:", "caller:")}
        return Facts(key, operation, subjects, session, OWNER, device=visitor.device)


class _OpenSession:
    """The bank's own session, where it does not stand yet."""

    def __init__(self, key: str, facts: Facts) -> None:
        self.keys = [key]
        self._subject = facts.subjects[Reach.CUSTOMER]

    def decide(self, tx: Tx) -> None:
        if tx.get(self.keys[0], Session) is None:
            opened = Session(subject=self._subject, owner=OWNER, foreign=True, name=self.keys[0], started=tx.now, seen=tx.now)
            tx.put(self.keys[0], opened, due=tx.now + tx.table.timing.session_total_s * SECOND)


class Time:
    """Time that moves when it is told to, and a microsecond at each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        """The time now, microseconds."""
        self.now += 1
        return self.now


def _changes(guard: Guard, table: Table) -> Iterator[int]:
    for lock in guard.locks:
        if lock.until is not None:
            yield lock.until
    for name, count in guard.counts.items():
        counter = table.counters.get(name)
        if count.zero_at is not None:
            yield count.zero_at
        if count.slices and counter is not None and counter.window_s:
            yield count.slices[0][0] + counter.window_s * SECOND
