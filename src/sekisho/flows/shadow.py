"""Shadow mode: count mode beside a bank that does not rely on it yet. It decides and records, and refuses nothing.

A channel hears `granted` for every guess, and its own verdict back. What would have been said is on record as an event and in
the metrics, by row. All of it is in a store of its own, marked as such: no node counts for real over it, and no shadow
node over one that counts. Why so: `docs/why/shadow-mode.md`.
"""

from __future__ import annotations

import secrets as chance
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from sekisho.core import budget
from sekisho.core.attempt import Why
from sekisho.core.state import FORMAT, IN_FORCE, SECOND, Guard, Reservation, decode
from sekisho.core.takeover import legacy
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows.answers import Answer, Message, Refused
from sekisho.flows.attempt import KEEP_SETTLED_S, Missing, Told, Twice
from sekisho.flows.count_mode import CountMode, Held
from sekisho.flows.import_lines import Line
from sekisho.flows.replay import Replay
from sekisho.flows.subjects import every_guard
from sekisho.policy.table import Table
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import Outcome, State, Verdict

MARK = "shadow"
"""The kind and name of the document by which a store says that nothing in it counts."""


class Phantom(msgspec.Struct, omit_defaults=True):
    """A guess that would have been refused and was told as granted: it is counted nowhere."""

    v: int = FORMAT
    owner: str = ""
    settled: bool = False


async def agree_on_mode(store: Store, *, shadow: bool) -> None:
    """Hold a store to what it is for: a new one is marked by the first shadow node, before anything else is in it.

    Raises:
        CallerError: it is for the other.

    """
    marked = MARK in await store.documents(MARK)
    if marked is shadow:
        return
    if marked:
        raise CallerError("this store is a shadow's: nothing in it counts; serve it with --shadow, or begin a store of its own")
    if IN_FORCE in await store.peek([IN_FORCE]):
        raise CallerError("this store counts for real; a shadow needs a store of its own")
    await store.keep_document(MARK, MARK, b"-")


class _Note:
    """Put on record what would have been refused."""

    def __init__(self, phantom: str, owner: str, key: str | None, event: Event) -> None:
        self._phantom = _phantom_key(phantom)
        self.keys: Sequence[str] = [self._phantom, *([key] if key else [])]
        self._key, self._owner, self._event = key, owner, event

    def decide(self, tx: Tx) -> bool:
        """Whether it was not on record before: a request sent twice is one request."""
        if tx.get(self._phantom, Phantom) is not None:
            return False
        if self._key is not None:
            # The subject's row is looked at so that the event joins its history.
            tx.get(self._key, Guard)
        tx.put(self._phantom, Phantom(owner=self._owner), due=tx.now + KEEP_SETTLED_S * SECOND)
        tx.tell(msgspec.structs.replace(self._event))
        return True


class _Settle:
    """The bank's verdict on a guess that was not counted."""

    def __init__(self, phantom: str, owner: str) -> None:
        self.keys: Sequence[str] = [_phantom_key(phantom)]
        self._owner = owner

    def decide(self, tx: Tx) -> Missing | Twice | None:
        """Once, as of every other guess."""
        found = tx.get(self.keys[0], Phantom)
        if found is None or found.owner != self._owner:
            return Missing()
        if found.settled:
            return Twice()
        found.settled = True
        tx.put(self.keys[0], found)
        return None


class ShadowCountMode:
    """Count mode as a shadow plays it."""

    def __init__(self, real: CountMode, ledger: Ledger, store: Store) -> None:
        self._real = real
        self._ledger = ledger
        self._store = store
        self.refused: Counter[str] = Counter()
        """Entries that would have been refused, by row; `again`: only for now."""

    async def hold(
        self, table: Table, owner: str, operation: str, item: str, subject: str, *, replay: Replay | None = None, **more: Any,
    ) -> Held | Told:
        """Take a guess if there is one; whatever comes of it is told as granted."""
        told = await self._real.hold(table, owner, operation, item, subject, replay=replay, **more)
        if not isinstance(told, Refused):
            return told
        phantom = "~" + (chance.token_urlsafe(18) if replay is None else replay.key.partition(":")[2])
        row = "again" if told.why is Why.BUSY else await self._row(told)
        key = None if told.lock is None else told.lock[0]
        event = Event(
            EventKind.SHADOW_REFUSED, key or subject, operation=operation, item=item, row=row, lock=None if told.lock is None else told.lock[1],
            reason=str(told.why),
        )
        if await self._ledger.run(_Note(phantom, owner, key, event)):
            self.refused[row] += 1
        return Held(phantom)

    async def _row(self, told: Refused) -> str:
        """The row of the lock that would have refused; where there is none, why it would have been."""
        if told.lock is None:
            return str(told.why)
        key, lock = told.lock
        body = (await self._store.peek([key])).get(key)
        locks = [] if body is None else decode(body, Guard).locks
        return next((one.row for one in locks if one.id == lock), str(told.why))

    async def verdict(self, owner: str, reservation: str, verdict: Verdict, *, replay: Replay | None = None) -> Told:
        """The bank's verdict, told back to it; what came of it is on record."""
        if reservation.startswith("~"):
            no = await self._ledger.run(_Settle(reservation, owner))
            return no or _told(verdict)
        body = (await self._store.peek([f"reservation:{reservation}"])).get(f"reservation:{reservation}")
        told = await self._real.verdict(owner, reservation, verdict, replay=replay)
        if not isinstance(told, Answer):
            return told
        if told.outcome is Outcome.REFUSED and not told.again and body is not None:
            self.refused[decode(body, Reservation).row] += 1
        return _told(verdict)


def _told(verdict: Verdict) -> Answer:
    """The same for every entry with this verdict, whatever was counted."""
    if verdict is Verdict.UNREAD:
        return Answer(Outcome.REFUSED, State.OPEN, message=Message.TRY_AGAIN, again=True)
    right = verdict is Verdict.RIGHT
    return Answer(Outcome.RIGHT if right else Outcome.WRONG, State.OPEN, message=Message.NEXT if right else Message.WRONG)


async def exported(store: Store, table: Table) -> AsyncIterator[Line]:
    """What a shadow has counted, as lines that an import takes over: counts and locks of enrolled subjects."""
    now = await store.clock()
    async for key, guard in every_guard(store):
        for line in (*_counts(key, guard, table, now), *_locks(key, guard, table, now)) if guard.known else ():
            yield line


def _counts(key: str, guard: Guard, table: Table, now: int) -> Iterator[Line]:
    """By item where that is known; where it is not, or a window forgets, what stands altogether."""
    for name, count in sorted(guard.counts.items()):
        counter = table.counters.get(name)
        if counter is None:
            continue
        budget.refresh(count, counter, now)
        of_items = {item: tally.wrong for item, tally in count.tallies.items() if item != budget.CARRIED and tally.wrong}
        for item, wrong in sorted(of_items.items()):
            yield Line("count", key, name, str(wrong), item)
        if count.wrong > sum(of_items.values()):
            yield Line("count", key, name, str(count.wrong))


def _locks(key: str, guard: Guard, table: Table, now: int) -> Iterator[Line]:
    rows = {lock.row: lock for lock in guard.locks if lock.stands(now) and legacy(table, lock.row, key.partition(":")[0]) is not None}
    for row, lock in sorted(rows.items()):
        yield Line("lock", key, row, datetime.fromtimestamp(lock.since / SECOND, UTC).isoformat())


def _phantom_key(phantom: str) -> str:
    return f"phantom:{phantom}"
