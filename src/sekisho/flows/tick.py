"""Time passing: absence becomes an event. Reservations without a verdict, folded refusals, rows that nobody needs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sekisho.core import release
from sekisho.core.state import SECOND, Guard, Procedure, Reservation, decode
from sekisho.events import Event, EventKind
from sekisho.flows.attempt import STRANGER_S, Settle
from sekisho.flows.entries import Entries
from sekisho.flows.subjects import Subjects
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import State, Verdict

AT_ONCE = 2000
"""Rows looked after in one pass, so that a flood of them delays nobody."""


class _Fold:
    """Write how often a lock refused since the last time, onto the lock."""

    def __init__(self, key: str, lock: str, number: int) -> None:
        self.keys = [key]
        self._lock = lock
        self._number = number

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        guard = tx.get(key, Guard)
        lock = next((lock for lock in guard.locks if lock.id == self._lock), None) if guard else None
        if guard is None or lock is None:
            return
        lock.refused += self._number
        lock.first_refused = lock.first_refused or tx.now
        lock.last_refused = tx.now
        tx.put(key, guard)
        tx.tell(Event(EventKind.ENTRIES_REFUSED, key, row=lock.row, lock=lock.id, number=self._number))


class _Forget:
    """Delete a row whose time is over."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        if key.startswith("procedure:"):
            run = tx.get(key, Procedure)
            if run is not None and run.state is State.OPEN and tx.now < run.expires:
                return
        tx.drop(key)


class _AgeBucket:
    """Forget a bucket that nobody has touched for a day."""

    def __init__(self, key: str) -> None:
        self.keys = [key]

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        guard = tx.get(key, Guard)
        if guard is None:
            return
        release.expire(key, guard, tx.now, tx.tell)
        kept = tx.table.retention_s.get("strangers", STRANGER_S) * SECOND
        if guard.at + kept <= tx.now:
            tx.drop(key)
        else:
            tx.put(key, guard, due=guard.at + kept)


async def pass_time(ledger: Ledger, store: Store, subjects: Subjects, entries: Entries) -> None:
    """One pass over everything that falls due; what is due together shares batches."""
    now = await store.clock()
    await _settle_overdue(ledger, store, subjects, now, entries)
    due = await store.due("", now, AT_ONCE)
    works = [_AgeBucket(key) if key.startswith("~") else _Forget(key) for key in due if not key.startswith("reservation:")]
    await asyncio.gather(*(ledger.run(work) for work in works))
    await _fold_refusals(ledger, entries)


async def _settle_overdue(ledger: Ledger, store: Store, subjects: Subjects, now: int, entries: Entries) -> None:
    keys = await store.due("reservation:", now, AT_ONCE)
    found = [(key, decode(body, Reservation)) for key, body in (await store.peek(keys)).items()]
    open_ones = [(key, taken) for key, taken in found if taken.settled is None]
    settled = [_Forget(key) for key, taken in found if taken.settled is not None]
    overdue = [
        Settle(subjects, key.partition(":")[2], taken, Verdict.WRONG, taken.owner, "", overdue=True) for key, taken in open_ones
    ]
    await asyncio.gather(*(ledger.run(work) for work in settled), *(ledger.run(work) for work in overdue))
    entries.waiting.settled(f"{note.key}/{note.counter}" for _, taken in open_ones for note in taken.notes)


async def _fold_refusals(ledger: Ledger, entries: Entries) -> None:
    folded = entries.refusals
    entries.refusals = {}
    await asyncio.gather(*(ledger.run(_Fold(key, lock, number)) for (key, lock), (number,) in folded.items()))
